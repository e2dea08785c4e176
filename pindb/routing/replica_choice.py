"""Which replica a unit of work reads: round robin over the replicas of a DB set that can be read."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Final

from pindb.config.database_sets import DbSet
from pindb.core.pins import PinnedPosition
from pindb.core.unit_of_work import UnitOfWork
from pindb.servers import health
from pindb.servers.positions import has_replayed

_turns: Final[dict[tuple[str, ...], Iterator[str]]] = {}


def replica_for(unit: UnitOfWork, db_set: DbSet) -> str:
    """Return the replica of `db_set` that `unit` reads, chosen now if it has none yet. The DB set must have replicas.

    It is the master where no replica could be read when the choice was made.
    """
    replica = unit.chosen_replicas.get(db_set.name)
    if replica is None:  # setdefault: threads that choose at the same time agree on one
        replica = unit.chosen_replicas.setdefault(db_set.name, next(readable(db_set)))
    return replica


def caught_up_replica(unit: UnitOfWork, db_set: DbSet, positions: Sequence[PinnedPosition]) -> str | None:
    """Return the replica that `unit` reads from now on because it has replayed `positions`; None if none has.

    It is the master where no replica can be read. A unit of work that has read one replica asks that one only.
    """
    name = db_set.name
    chosen = unit.chosen_replicas.get(name)
    for replica in readable(db_set) if chosen is None else (chosen,):
        if replica not in db_set.replicas:
            return replica if chosen is None else None
        if has_replayed(replica, name, positions):
            agreed = unit.chosen_replicas.setdefault(name, replica)  # another thread may have chosen meanwhile
            return agreed if agreed == replica or has_replayed(agreed, name, positions) else None
    return None


def readable(db_set: DbSet) -> Iterator[str]:
    """Produce the replicas of `db_set` that can be read, the one whose turn it is first; the master if none can be.

    The first turn is random, because worker processes that start together would all begin with the same replica.
    """
    turns = _turns.get(db_set.replicas)
    if turns is None:
        first = random.randrange(len(db_set.replicas))  # noqa: S311 - no secret
        turns = _turns.setdefault(db_set.replicas, cycle(db_set.replicas[first:] + db_set.replicas[:first]))
    replica = next(turns)
    # The others in random order. In turn, threads that skip a replica at the same time would all take the same next
    # one; in a fixed order, one replica would get all the reads of the one that is down.
    others = [alias for alias in db_set.replicas if alias != replica]
    random.shuffle(others)
    began, found = time.monotonic(), False
    for alias in (replica, *others):
        # A request does not wait for one replica after the other.
        late = time.monotonic() - began >= health.PROBE_TIMEOUT / 2
        if health.can_be_read(alias, db_set, health.QUICK_WAIT if late or found else health.PROBE_TIMEOUT):
            found = True
            yield alias
    if not found:
        health.none_can_be_read(db_set)
        yield db_set.masters[db_set.name]
