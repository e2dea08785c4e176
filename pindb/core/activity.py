"""What a unit of work has run where, and the positions it has taken since: one is good until something runs again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from pindb.core.pins import Position
from pindb.core.transactions import in_transaction

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class Past:
    """What has happened at one place."""

    __slots__ = ("connections", "event", "taken")

    def __init__(self) -> None:
        self.connections: Final[set[BaseDatabaseWrapper]] = set()
        self.event: object = None
        self.taken: tuple[object, Position | None] | None = None


class Activity(dict[str, Past]):
    """By place: the name of a DB set, for its master, or the alias of a replica. Each unit of work has one.

    There is no lock: whoever takes a position names the event that it came after, and a later one makes it void, also
    one in another thread between the question and the answer.
    """

    __slots__ = ()

    def __missing__(self, place: str) -> Past:
        return self.setdefault(place, Past())  # threads that get here at once agree on one

    def stir(self, place: str) -> None:
        """Note that something has run, or is about to, at `place`."""
        self[place].event = object()

    def last_event(self, place: str) -> object:
        return self[place].event

    def use(self, place: str, connection: BaseDatabaseWrapper) -> None:
        """Note that this unit of work uses `connection`, in whatever thread."""
        self[place].connections.add(connection)

    def uses(self, place: str) -> bool:
        return bool(self[place].connections)

    def is_open(self, place: str, more: Iterable[BaseDatabaseWrapper] = ()) -> bool:
        """Return whether a transaction is open at `place`, in any thread of this unit of work."""
        return any(map(in_transaction, (*self[place].connections, *more)))

    def keep(self, place: str, event: object, position: Position | None) -> None:
        """Keep what was asked after `event`; None if there was no answer, which another try would not change."""
        self[place].taken = (event, position)

    def kept(self, place: str) -> tuple[bool, Position | None]:
        """Return whether something is kept that is still good, and what."""
        here = self[place]
        if here.taken is None or here.taken[0] is not here.event:
            return False, None
        return True, here.taken[1]
