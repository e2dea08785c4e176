"""`Frame`: the unit of work and the overrides that the running code is in, held by one ContextVar.

A frame is one `with` around some code: it opens a unit of work, or says for some DB sets where to read. Frames are
immutable and link to the frame outside. So an override made in one asyncio task is unseen by its siblings, and leaving
needs no token. A token could not be used in another `Context`, where a generator or a callback may well be closed.

Outside all frames, a thread or an asyncio task begins a unit of work with its first query: a script, a shell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING, Final

from pindb import events
from pindb.config import rollout
from pindb.config.database_sets import ALL_SETS, DbSet
from pindb.core import implicit
from pindb.core.implicit import ImplicitUnitOfWork
from pindb.core.unit_of_work import RouteCache, UnitOfWork

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class ReadFrom(Enum):
    """Where an override sends reads."""

    MASTER = "master"
    REPLICA = "replica"


NO_OVERRIDES: Final[Mapping[str, ReadFrom]] = {}


class Frame:
    """One `with`. Its `owner` will leave it; `overrides` holds the innermost override of each DB set."""

    __slots__ = ("cache", "closed", "overrides", "own_overrides", "owner", "parent", "unit")

    def __init__(
        self, unit: UnitOfWork, parent: Frame | None, owner: object, override: Mapping[str, ReadFrom] | None = None
    ) -> None:
        self.unit: Final = unit
        self.parent: Final = parent
        self.owner: Final = owner
        self.closed = False
        self.own_overrides: Final = override
        self.overrides: Final[Mapping[str, ReadFrom]] = (
            NO_OVERRIDES if override is None else {**(parent.overrides if parent else NO_OVERRIDES), **override}
        )
        self.cache: Final[RouteCache] = unit if override is None else RouteCache()


frame_var: Final[ContextVar[Frame | None]] = ContextVar("pindb", default=None)


def current_frame() -> Frame:
    """Return the frame that the running code is in. Outside all frames it is that of an implicit unit of work."""
    frame = frame_var.get()
    while frame is not None and frame.closed and frame.own_overrides is not None:
        # A copied `Context` left it: asyncio closes an async generator that nobody has finished in another task.
        frame = frame.parent
        frame_var.set(frame)
    if frame is None:
        frame = Frame(ImplicitUnitOfWork(), None, None)
        frame_var.set(frame)
    elif (
        isinstance(frame.unit, ImplicitUnitOfWork)
        and frame.owner is None
        and (frame.closed or frame.unit.has_ended())
        and not frame.unit.cannot_end_here()
    ):
        ended, frame = frame, _frame_after(frame.unit)
        if not ended.closed:
            _tell_end(ended)
    return frame


def _frame_after(ended: ImplicitUnitOfWork) -> Frame:
    """Begin the implicit unit of work that follows `ended`."""
    before = frame_var.get()
    frame_var.set(Frame(ImplicitUnitOfWork(), None, None))  # that of a query that asks for a position
    try:
        frame = Frame(ImplicitUnitOfWork(implicit.pins_left_by(ended)), None, None)
    except BaseException:  # what interrupts the thread must not take the pins away: the next query asks again
        frame_var.set(before)
        raise
    frame_var.set(frame)
    return frame


def end_implicit_unit(db_set: DbSet, alias: str) -> None:
    """End the implicit unit of work of the running code, if it uses `alias`: a master, or the replica that it reads."""
    frame = frame_var.get()
    if frame is None or frame.owner is not None or not isinstance(frame.unit, ImplicitUnitOfWork):
        return
    if frame.unit.is_in_transaction():
        return
    if alias not in db_set.replicas or alias in list(frame.unit.chosen_replicas.values()):
        was_open, frame.closed = not frame.closed, True
        frame.cache.reset(None)  # the router looks there first
        if was_open:
            _tell_end(frame)


def note_closed(connection: BaseDatabaseWrapper) -> None:
    """Note in the unit of work of the running code that its connection to a replica was closed."""
    frame = frame_var.get()
    if frame is not None:
        frame.unit.activity.note_closed(connection.alias, connection)


def _tell_end(frame: Frame) -> None:
    """Tell observers, which may query, so after the end."""
    if events.observers:
        events.tell(events.Observer.unit_ended, frame.unit, "other", "")


def forget_decisions(unit: UnitOfWork) -> None:
    """Empty the caches of the overrides of `unit` that the running code is in."""
    frame = frame_var.get()
    while frame is not None and frame.unit is unit:
        if frame.cache is not unit:
            frame.cache.reset(None)
        frame = frame.parent


def push_unit(unit: UnitOfWork, owner: object) -> None:
    """Run the code that follows in `unit`, until `pop(owner)`."""
    parent = frame_var.get()
    while parent is not None and parent.closed:  # a task that starts its own successor must not keep an endless chain
        parent = parent.parent
    frame_var.set(Frame(unit, parent, owner))


def push_override(override: Mapping[str, ReadFrom], owner: object) -> None:
    """Read the DB sets in `override` where it says so, until `pop(owner)`."""
    frame = current_frame()
    frame_var.set(Frame(frame.unit, frame, owner, override))


def pop(owner: object) -> UnitOfWork | None:
    """Undo the innermost `push_...` of `owner`, and return its unit of work; None if this `Context` has none.

    A generator that holds a `with` open can be closed after later ones were entered: these stay. The end of a unit of
    work ends everything that was left open in it.
    """
    frame, later = frame_var.get(), []
    while frame is not None and frame.owner is not owner:
        later.append(frame)
        frame = frame.parent
    if frame is None:
        return None
    frame.closed = True
    rest = frame.parent
    if frame.own_overrides is not None:
        frame.cache.reset(None)  # the router looks there first, in every copy of this `Context`
        for kept in reversed(later):
            rest = Frame(kept.unit, rest, kept.owner, kept.own_overrides)
    frame_var.set(rest)
    return frame.unit


@contextmanager
def reading_masters() -> Iterator[None]:
    """Run the block in a unit of work of its own that reads masters, and hands nothing on."""
    unit = UnitOfWork()
    unit.held_pins.add(ALL_SETS)
    push_unit(unit, unit)
    try:
        yield
    finally:
        pop(unit)


rollout.asked_within = reading_masters
