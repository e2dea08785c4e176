"""`Decision`: where a read goes, and the one reason for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Reason(Enum):
    """Why a read goes where it goes. The first one that applies is given, in this order."""

    UNMANAGED = "unmanaged"
    """The alias belongs to no DB set."""
    DISABLED = "disabled"
    """`PINDB_ENABLED` is False."""
    MASTER_ONLY = "master only"
    """The table belongs to `PINDB_MASTER_ONLY`."""
    NO_REPLICAS = "no replicas"
    """The DB set has no replicas."""
    MASTER_OVERRIDE = "master override"
    """The read is inside `master()`."""
    REPLICA_OVERRIDE = "replica override"
    """The read is inside `unpinned_replica()`, or asked for by `get_replica()`."""
    OPEN_TRANSACTION = "open transaction"
    """The read is inside `atomic()` on the master."""
    PINNED_HERE = "pinned here"
    """This unit of work has written, was about to, has called `pin()`, or took the result of a task that wrote."""
    INHERITED_PIN = "inherited pin"
    """The pin came in with a cookie or a message, or shall not be handed on."""
    REPLICA_FAILED = "replica failed"
    """The replica of this unit of work did not finish a read. Inside `unpinned_replica()` this comes right after it."""
    WAITING_FOR_POSITION = "waiting for a position"
    """The pin came in with a log position, which no replica that may be read has replayed."""
    NO_REPLICA_USABLE = "no replica usable"
    """Every replica is down or lags too much."""
    REPLICA = "replica"
    """No rule speaks for the master."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Where one read goes. `cacheable`: it goes there in every thread, until the unit of work is pinned or ends."""

    db_set: str | None
    alias: str
    reason: Reason
    cacheable: bool = True
