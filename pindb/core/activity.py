"""`Activity`: the statements of a unit of work make the log positions void that it has asked for before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from pindb.core.pins import Position
from pindb.core.transactions import in_transaction

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class ServerActivity:
    """The connections of a unit of work to one server, its last change there, and the log position after that."""

    __slots__ = ("cached", "change", "connections", "has_closed")

    def __init__(self) -> None:
        self.connections: Final[set[BaseDatabaseWrapper]] = set()
        self.change: object = None
        self.cached: tuple[object, Position | None] | None = None
        self.has_closed = False
        """Whether one of the connections was closed: the next one may lead to another server behind the same name."""


class Activity(dict[str, ServerActivity]):
    """Maps servers to their activity: a master by the name of its DB set, a replica by its alias.

    It needs no lock. A position is cached with the change that it came after. A later change makes it void, also one
    that another thread makes between the question and the answer.
    """

    __slots__ = ()

    def __missing__(self, server: str) -> ServerActivity:
        return self.setdefault(server, ServerActivity())  # threads that get here at the same time agree on one

    def mark_changed(self, server: str) -> None:
        """Note that a statement has run at `server`, or is about to."""
        self[server].change = object()

    def last_change(self, server: str) -> object:
        return self[server].change

    def add_connection(self, server: str, connection: BaseDatabaseWrapper) -> None:
        """Note that this unit of work uses `connection`, in any of its threads."""
        self[server].connections.add(connection)

    def absorb(self, other: Activity) -> None:
        """Add what a unit of work has done that has run inside this one."""
        for server, activity in list(other.items()):
            self.connections_to(server).update(activity.connections)
            self[server].has_closed |= activity.has_closed
            self.mark_changed(server)

    def note_closed(self, server: str, connection: BaseDatabaseWrapper) -> None:
        """Note that `connection` was closed. Django's object stays, and opens the driver's next one."""
        activity = self.get(server)
        if activity is not None and connection in activity.connections:
            activity.has_closed = True

    def is_over_one_connection(self, server: str, connection: BaseDatabaseWrapper) -> bool:
        """Return whether all that has happened at `server` was over `connection`, which is still the same."""
        return not self[server].has_closed and self[server].connections == {connection}

    def has_connections(self, server: str) -> bool:
        return bool(self[server].connections)

    def connections_to(self, server: str) -> set[BaseDatabaseWrapper]:
        """Return the connections that this unit of work has used, in all threads."""
        return self[server].connections

    def has_open_transaction(self, server: str, more: Iterable[BaseDatabaseWrapper] = ()) -> bool:
        """Return whether a transaction is open at `server`, in any thread of this unit of work."""
        return any(map(in_transaction, (*self[server].connections, *more)))

    def cache_position(self, server: str, change: object, position: Position | None) -> None:
        """Cache the position that was asked for after `change`.

        None: there is no answer, and asking again is in vain.
        """
        self[server].cached = (change, position)

    def cached_position(self, server: str) -> tuple[bool, Position | None]:
        """Return whether a cached position is still good, and the position."""
        activity = self[server]
        if activity.cached is None or activity.cached[0] is not activity.change:
            return False, None
        return True, activity.cached[1]
