"""Which replica: round robin over a DB set's replicas that can be read, for contexts that have not chosen yet."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Final

from pindb.config.database_sets import DbSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.servers import health

_turns: Final[dict[tuple[str, ...], Iterator[str]]] = {}


def take_turn(db_set: DbSet) -> str:
    """Return the alias of the replica whose turn it is, the master's if none can be read; the set must have one.

    The start is random: worker processes that all start at once would otherwise all begin with the same replica.
    """
    turns = _turns.get(db_set.replicas)
    if turns is None:
        first = random.randrange(len(db_set.replicas))  # noqa: S311 - no secret
        turns = _turns.setdefault(db_set.replicas, cycle(db_set.replicas[first:] + db_set.replicas[:first]))
    replica = next(turns)
    began = time.monotonic()
    if health.can_be_read(replica, db_set):
        return replica
    # Not the turns of others: two threads that skip at once would see each other's leavings. Not in order either, or
    # one replica would get all the reads of the one that is down.
    others = [alias for alias in db_set.replicas if alias != replica]
    random.shuffle(others)
    for other in others:
        # One request does not wait for one replica after the other.
        timeout = health.PROBE_TIMEOUT if time.monotonic() - began < health.PROBE_TIMEOUT / 2 else health.QUICK_WAIT
        if health.can_be_read(other, db_set, timeout):
            return other
    health.none_can_be_read(db_set)
    return db_set.masters[db_set.name]


def replica_for(unit: UnitOfWork, db_set: DbSet) -> str:
    """Return the replica of `db_set` that this unit of work reads, chosen now if need be; the set must have one.

    It is the master if no replica could be read when the choice was made.
    """
    replica = unit.chosen_replicas.get(db_set.name)
    if replica is None:  # setdefault: threads that get here at once agree on one
        replica = unit.chosen_replicas.setdefault(db_set.name, take_turn(db_set))
    return replica
