"""Which replica a unit of work reads: round robin over the replicas of a DB set that can be read."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Final

from pindb.config.database_sets import DbSet
from pindb.core.pins import PinnedPosition
from pindb.core.unit_of_work import UnitOfWork
from pindb.event_loop import loop_is_running
from pindb.routing.position_wait import replica_after_wait
from pindb.servers import health
from pindb.servers.position_cache import position_cache
from pindb.servers.positions import has_replayed, is_known_past, open_connection

_turns: Final[dict[tuple[str, ...], Iterator[str]]] = {}


def replica_for(unit: UnitOfWork, db_set: DbSet) -> str:
    """Return the replica of `db_set` that `unit` reads, chosen now if it has none yet. The DB set must have replicas.

    It is the master where no replica could be read when the choice was made.
    """
    replica = unit.chosen_replicas.get(db_set.name)
    if replica is None:  # setdefault: threads that choose at the same time agree on one
        # Where nothing speaks for another replica, tables with separate pins are read where the others are.
        read = [alias for alias in list(unit.chosen_replicas.values()) if alias in db_set.replicas]
        replica = unit.chosen_replicas.setdefault(db_set.name, read[0] if read else next(readable(db_set)))
    return replica


def caught_up_replica(
    unit: UnitOfWork, db_set: DbSet, positions: tuple[PinnedPosition, ...], wait_seconds: float
) -> str | None:
    """Return the replica that `unit` reads from now on because it has replayed `positions`; None if none has.

    It is the master where no replica can be read. A unit of work that has read one replica asks that one only, once on
    each connection: that of another thread may lead to another server. One that has read none looks for the replica
    that has the data, and asks as few of them as possible. Where none has it, the nearest one may get there in
    `wait_seconds`.
    """
    name = db_set.name
    chosen = unit.chosen_replicas.get(name)
    if chosen in db_set.replicas:
        # No query can run in an event loop's thread: the thread that will run it decides.
        left_to_others = name in unit.passed_position and loop_is_running()
        if left_to_others or unit.has_checked(name, open_connection(chosen)):
            return chosen
    asked: list[str] = []
    for replica in readable(db_set, positions) if chosen is None else (chosen,):
        if replica not in db_set.replicas:
            return replica if chosen is None else None
        if has_replayed(replica, db_set.servers, positions):
            return _agreed(unit, db_set, replica, positions)
        asked.append(replica)
    waited_for = replica_after_wait(asked, db_set.servers, positions, wait_seconds)
    return None if waited_for is None else _agreed(unit, db_set, waited_for, positions)


def _agreed(unit: UnitOfWork, db_set: DbSet, replica: str, positions: tuple[PinnedPosition, ...]) -> str | None:
    """Return the replica of all threads of `unit`: `replica`, or one chosen meanwhile; None if that is behind."""
    agreed = unit.chosen_replicas.setdefault(db_set.name, replica)
    if agreed != replica and not has_replayed(agreed, db_set.servers, positions):
        return None
    unit.note_checked(db_set.name, open_connection(agreed))
    return agreed


def readable(db_set: DbSet, positions: tuple[PinnedPosition, ...] = ()) -> Iterator[str]:
    """Produce the replicas of `db_set` that can be read, the one whose turn it is first; the master if none can be.

    With `positions`, the order is that in which a replica that has replayed them is looked for.
    """
    aliases = _in_turn(db_set.replicas)
    if positions and len(aliases) > 1:
        _sort_for(aliases, db_set.servers, positions)
    began, found = time.monotonic(), False
    for alias in aliases:
        # A request does not wait for one replica after the other.
        late = time.monotonic() - began >= health.PROBE_TIMEOUT / 2
        if health.can_be_read(alias, db_set, health.QUICK_WAIT if late or found else health.PROBE_TIMEOUT):
            found = True
            yield alias
    if not found:
        health.none_can_be_read(db_set)
        yield db_set.masters[db_set.name]


def _in_turn(replicas: tuple[str, ...]) -> list[str]:
    """Return all `replicas`, the one whose turn it is first, the others in random order.

    The first turn of a process is random, because worker processes that start together would all begin with the same
    replica. The others are not in turn, because threads that skip a replica at the same time would all take the same
    next one; nor in a fixed order, because one replica would get all the reads of the one that is down.
    """
    turns = _turns.get(replicas)
    if turns is None:
        first = random.randrange(len(replicas))  # noqa: S311 - no secret
        turns = _turns.setdefault(replicas, cycle(replicas[first:] + replicas[:first]))
    turn = next(turns)
    others = [alias for alias in replicas if alias != turn]
    random.shuffle(others)
    return [turn, *others]


def _sort_for(aliases: list[str], master: str, positions: tuple[PinnedPosition, ...]) -> None:
    """Put `aliases`, the one whose turn it is first, in the order in which to look for `positions`.

    First the one whose turn it is, asked if need be: otherwise all units of work that wait for one position would read
    the replica that was asked first. If it was behind a moment ago, its turn is skipped. Then those known to have
    replayed the positions, then those that have to be asked: first over connections that this thread has open, and
    those that were behind a moment ago last.
    """
    turn = aliases[0]

    def key(alias: str) -> tuple[bool, ...]:
        known = is_known_past(alias, master, positions)
        behind = not known and position_cache.was_behind(alias)
        first = known or (alias == turn and not behind)
        return (not first, behind, alias != turn, not first and open_connection(alias) is None)

    aliases.sort(key=key)
