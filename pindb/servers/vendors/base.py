"""What positions need of a database: a protocol of three questions, answered by one file per vendor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from pindb.core.pins import PinnedPosition, Position

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

QUERY_MARKER: Final = "/* pindb */"
"""Begins each query of ours, for those who read a server's log, and so that it is not taken for one of the user's."""


class ReplicaPosition(NamedTuple):
    """What a replica says."""

    position: Position
    server: str | None = None
    """Its address as the server itself sees it, where it can tell."""
    timeline_confirmed: bool = True
    """False where the source may be outdated: the server may have followed a failover and not know it yet."""


class Vendor(Protocol):
    """Each method but `address` is one round trip on `connection`, and raises what the driver raises."""

    def written(self, connection: BaseDatabaseWrapper) -> Position:
        """Return what the master has written: not less than was committed when the question was asked.

        Empty where the server is no master, or keeps no log.
        """
        ...

    def replayed(self, connection: BaseDatabaseWrapper) -> ReplicaPosition:
        """Return what the replica shows to a query that begins after the answer; empty where it is no replica."""
        ...

    def connected_address(self, connection: BaseDatabaseWrapper) -> str | None:
        """Return the address that an open connection leads to, as `ReplicaPosition.server` has it, None if it is not known."""
        ...


def has_passed(position: Position, positions: Iterable[PinnedPosition]) -> bool:
    """Return whether all positions are passed; one of another source is not."""
    return all(position.get(pinned.log, -1) >= pinned.offset for pinned in positions)
