"""The bounded wait of a read for a replica that is about to have what it needs, before the read uses the master.

Most replicas lag by some milliseconds, and a task often starts within these. `PINDB_POSITION_WAIT_SECONDS` bounds the
wait of one unit of work. Where replicas lag much longer, waiting would only add to the latency: after three waits in
vain for a replica, one read a second tries again, and the others do not wait.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import connections

from pindb import events
from pindb.core.pins import PinnedPosition
from pindb.core.transactions import in_transaction
from pindb.event_loop import loop_is_running
from pindb.servers.positions import distance_to, has_replayed, server_has_waited

WAITS_IN_VAIN: Final = 3
"""After how many waits in vain, one after the other, reads stop waiting for a replica."""

PAUSE_SECONDS: Final = 1.0
"""For how long they stop."""

clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class _InVain:
    """The waits in vain for one replica since the last one that was not. Threads may lose a count: no harm."""

    count: int = 0
    again_at: float = 0.0


_in_vain: Final[dict[str, _InVain]] = {}


def replica_after_wait(
    aliases: Sequence[str], master: str, positions: tuple[PinnedPosition, ...], seconds: float
) -> str | None:
    """Return the one of `aliases`, replicas asked just now, that has `positions` after at most `seconds`; None if none.

    It is the replica that is nearest to the positions. No wait happens in an event loop, which would stand still; nor
    where this thread has a transaction open, because its locks would be held longer.
    """
    distances = {
        alias: distance for alias in aliases if (distance := distance_to(alias, master, positions)) is not None
    }
    if not distances or seconds <= 0 or loop_is_running():
        return None
    if any(map(in_transaction, connections.all(initialized_only=True))):
        return None
    alias = min(distances, key=lambda alias: distances[alias])
    waits = _in_vain.setdefault(alias, _InVain())
    if waits.count >= WAITS_IN_VAIN:
        if clock() < waits.again_at:
            return None
        waits.again_at = clock() + PAUSE_SECONDS  # before the wait: meanwhile nobody else tries
    began = time.monotonic()
    caught_up = wait_until_replayed(alias, master, positions, seconds)
    events.tell(events.Observer.waited_for_replica, time.monotonic() - began, caught_up=caught_up)
    if caught_up:
        _in_vain.pop(alias, None)
        return alias
    waits.count += 1
    waits.again_at = clock() + PAUSE_SECONDS
    return None


def wait_until_replayed(alias: str, master: str, positions: tuple[PinnedPosition, ...], seconds: float) -> bool:
    """Return whether `alias` has all of `positions` after at most `seconds`.

    Either the server tells when it is there, or it is asked again after 2 ms, then every 5 ms.
    """
    deadline = time.monotonic() + seconds
    pause = 0.002
    while (left := deadline - time.monotonic()) > 0:
        if not server_has_waited(alias, master, positions, left):
            time.sleep(min(pause, left))
            pause = 0.005
        if has_replayed(alias, master, positions):
            return True
    return False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_vain.clear)
