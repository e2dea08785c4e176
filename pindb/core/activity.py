"""What a unit of work has run where, and the positions it has taken since: one is good until something runs again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from pindb.core.pins import Position
from pindb.core.transactions import in_transaction

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class ServerActivity:
    """What has happened at one server."""

    __slots__ = ("cached", "change", "connections")

    def __init__(self) -> None:
        self.connections: Final[set[BaseDatabaseWrapper]] = set()
        self.change: object = None
        self.cached: tuple[object, Position | None] | None = None


class Activity(dict[str, ServerActivity]):
    """By server: the name of a DB set, for its master, or the alias of a replica. Each unit of work has one.

    There is no lock: whoever takes a position names the change that it came after, and a later one makes it void, also
    one in another thread between the question and the answer.
    """

    __slots__ = ()

    def __missing__(self, server: str) -> ServerActivity:
        return self.setdefault(server, ServerActivity())  # threads that get activity at once agree on one

    def mark_changed(self, server: str) -> None:
        """Note that something has run, or is about to, at `server`."""
        self[server].change = object()

    def last_change(self, server: str) -> object:
        return self[server].change

    def add_connection(self, server: str, connection: BaseDatabaseWrapper) -> None:
        """Note that this unit of work uses `connection`, in whatever thread."""
        self[server].connections.add(connection)

    def has_connections(self, server: str) -> bool:
        return bool(self[server].connections)

    def has_open_transaction(self, server: str, more: Iterable[BaseDatabaseWrapper] = ()) -> bool:
        """Return whether a transaction is open at `server`, in any thread of this unit of work."""
        return any(map(in_transaction, (*self[server].connections, *more)))

    def cache_position(self, server: str, change: object, position: Position | None) -> None:
        """Keep what was asked after `change`; None if there was no answer, which another try would not change."""
        self[server].cached = (change, position)

    def cached_position(self, server: str) -> tuple[bool, Position | None]:
        """Return whether something is kept that is still good, and what."""
        activity = self[server]
        if activity.cached is None or activity.cached[0] is not activity.change:
            return False, None
        return True, activity.cached[1]
