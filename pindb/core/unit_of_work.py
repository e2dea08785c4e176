"""The pinning context: one ContextVar, which holds the frame that the running code is in.

A `UnitOfWork` is one unit of work: its pins and its choice of replicas. It is mutable and shared by reference, so that a
pin made in a child task, under `sync_to_async` or in an async actor is a pin of the whole unit of work (an immutable
value would be lost with the child's copy of the context). A `Frame` is one `with` around some code: it opens a unit,
or says for some DB sets where to read. Frames are immutable and link to the frame outside: an override made in one
asyncio task is unseen by its siblings, and leaving needs no token (a token cannot be used in another `Context`, where
a generator or a callback may well be closed).

Outside all frames, a thread (or asyncio task) is one unit of work from its first query on: a script, a shell.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from enum import Enum
from threading import Lock
from typing import Final, final
from weakref import WeakSet

from pindb.config.database_sets import ALL_SETS, Config, DbSet
from pindb.core.activity import Activity
from pindb.core.pins import NOTHING, PinnedPosition, PinSet


class ReadFrom(Enum):
    """Where an override sends reads."""

    MASTER = "master"
    REPLICA = "replica"


@final
class ReplicaUnlessInTransaction:
    """The replica that a unit of work reads, and the master it reads while that has a transaction open."""

    __slots__ = ("master", "replica")

    def __init__(self, replica: str, master: str) -> None:
        self.replica: Final = replica
        self.master: Final = master


class RouteCache:
    """The answers given so far, by the alias asked for: what makes a repeated routing decision cheap.

    A string is the answer whatever happens, until a pin overwrites it.
    """

    __slots__ = ("aliases", "config")

    def __init__(self) -> None:
        self.config: Config | None = None
        self.aliases: dict[str, str | ReplicaUnlessInTransaction] = {}

    def reset(self, config: Config | None) -> None:
        """Forget them; those given from here on hold under `config`."""
        self.aliases.clear()
        self.config = config


NO_HANDOFF: Final = (None, NOTHING)


class UnitOfWork(RouteCache):
    """One unit of work, and the answers given in it outside all overrides.

    `newly_pinned` pins were made here; `pinned_to_end` ones came in, or shall not be handed on; `awaiting_position` ones came in with positions:
    where they are not held, they hold until the replica is known to have these. `inherited` is what came in, with the
    times to hand it on with; `last_handoff` what was handed on last, and what it was made of; `chosen_replicas` are the ones
    chosen. `passed_position` has the positions that ended a pin because the chosen replica had passed them;
    `checked_connections` the driver's connections, of all threads, on which that was seen. Keys are names of DB sets, or `ALL_SETS`. `open_writes` has the transaction of the last write on a master;
    `activity` what has run where. There is no lock but in `absorb`: each step replaces one attribute or is one operation on
    a built-in set or dict, and what is new or held stays so.
    """

    __slots__ = (
        "activity",
        "awaiting_position",
        "checked_connections",
        "chosen_replicas",
        "inherited",
        "last_handoff",
        "newly_pinned",
        "open_writes",
        "passed_position",
        "pinned_to_end",
    )

    def __init__(self, inherited: PinSet = NOTHING) -> None:
        super().__init__()
        self.inherited = inherited
        self.newly_pinned: set[str] = set()
        self.pinned_to_end: set[str] = set(inherited.timed)
        if ALL_SETS in inherited.positioned:
            self.pinned_to_end.add(ALL_SETS)
        self.awaiting_position: dict[str, tuple[PinnedPosition, ...]] = dict(inherited.positioned)
        self.passed_position: dict[str, tuple[PinnedPosition, ...]] = {}
        self.checked_connections: WeakSet[object] | None = None  # made when there is one: few units of work have any
        self.last_handoff: tuple[object, PinSet] = NO_HANDOFF
        self.chosen_replicas: dict[str, str] = {}
        self.activity = Activity()
        self.open_writes: dict[str, object] = {}

    def is_pinned(self, name: str) -> bool:
        return name in self.awaiting_position or self.is_pinned_to_end(name)

    def is_pinned_to_end(self, name: str) -> bool:
        """Return whether the DB set is pinned to the end of this unit of work."""
        return self.has_pinned(name) or name in self.pinned_to_end or ALL_SETS in self.pinned_to_end

    def has_pinned(self, name: str) -> bool:
        """Return whether this unit of work has pinned the DB set itself, and hands the pin on."""
        return name in self.newly_pinned or ALL_SETS in self.newly_pinned

    def pin(self, db_set: DbSet, *, as_new: bool) -> None:
        (self.newly_pinned if as_new else self.pinned_to_end).add(db_set.name)
        self.aliases.update(db_set.masters)

    def required_position(self, name: str) -> tuple[PinnedPosition, ...] | None:
        """Return what a replica must have replayed for this unit of work to read it; None if nothing is required."""
        return self.awaiting_position.get(name) or self.passed_position.get(name)

    def resolve_position(self, db_set: DbSet, *, ended: bool) -> None:
        """End the waiting for `db_set`'s position: the pin has ended, or else is held from here on.

        Where it has ended, each further connection still has to show that it leads to a server which has the data. One
        that does not makes the pin hold after all.
        """
        name = db_set.name
        positions = self.awaiting_position.get(name)
        if not ended:  # in this order: another thread may look in between
            self.pin(db_set, as_new=False)
        elif positions is not None:
            self.passed_position[name] = positions
        self.awaiting_position.pop(name, None)

    def note_checked(self, connection: object) -> None:
        """Note that on `connection`, a driver's, the required position has been seen."""
        if self.checked_connections is None:
            self.checked_connections = WeakSet()
        self.checked_connections.add(connection)

    def has_checked(self, connection: object) -> bool:
        return self.checked_connections is not None and connection in self.checked_connections

    def clear(self) -> None:
        """Become a unit of work that has just begun."""
        self.inherited = NOTHING
        self.newly_pinned.clear()
        self.pinned_to_end.clear()
        self.awaiting_position.clear()
        self.passed_position.clear()
        self.checked_connections = None
        self.activity.clear()
        self.chosen_replicas.clear()
        self.open_writes = {}
        self.reset(None)

    def rebuild_cache(self, config: Config) -> None:
        """Make `aliases` say what the pins say, under `config`."""
        if self.config is not config:
            for name, replica in list(self.chosen_replicas.items()):
                if name not in config.sets or replica not in config.sets[name].replicas:
                    self.chosen_replicas.pop(name, None)
            self.reset(config)
        for db_set in config.sets.values():
            if self.is_pinned_to_end(db_set.name):
                self.aliases.update(db_set.masters)

    def absorb(self, new: Iterable[str], given: PinSet) -> None:
        """Add the pins of a unit of work that this one has waited for: the new ones are its own from now on."""
        for name in new:
            self.newly_pinned.add(name)
            self.activity.mark_changed(name)
        with _absorbing:
            inherited = self.inherited.join(given)
            # What this one was given itself is settled, or will be.
            self.pinned_to_end.update(name for name in given if inherited[name] != self.inherited.get(name))
            self.inherited = inherited
        if self.config is not None:
            self.rebuild_cache(self.config)

    def child(self) -> UnitOfWork:
        """Return a unit that starts with the pins and replicas of this one."""
        child = UnitOfWork(self.inherited)
        child.newly_pinned.update(self.newly_pinned)
        child.awaiting_position = dict(
            self.awaiting_position
        )  # before `pinned_to_end`: another thread may settle in between
        child.pinned_to_end = set(self.pinned_to_end)
        child.passed_position = dict(self.passed_position)
        child.chosen_replicas.update(self.chosen_replicas)
        child.open_writes = self.open_writes  # the thread's transactions are theirs both
        child.config = self.config
        child.aliases.update(self.aliases)
        return child


_absorbing: Final = Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_absorbing._at_fork_reinit)  # type: ignore[attr-defined]

NO_OVERRIDES: Final[Mapping[str, ReadFrom]] = {}


class Frame:
    """One `with`: `owner` is whoever will leave it, `overrides` what the overrides say in it, the innermost first."""

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
    """Return the frame that the running code is in; the first call outside all frames begins a unit of work."""
    frame = frame_var.get()
    while frame is not None and frame.closed and frame.own_overrides is not None:
        # It was left in a copy of this context: asyncio closes an async generator that nobody finished in another task.
        frame = frame.parent
        frame_var.set(frame)
    if frame is None:
        frame = Frame(UnitOfWork(), None, None)
        frame_var.set(frame)
    return frame


def push_unit(unit: UnitOfWork, owner: object) -> None:
    """Run what follows in `unit`, until `pop(owner)`."""
    parent = frame_var.get()
    while parent is not None and parent.closed:  # so that a task which starts its own successor keeps no endless chain
        parent = parent.parent
    frame_var.set(Frame(unit, parent, owner))


def push_override(override: Mapping[str, ReadFrom], owner: object) -> None:
    """Read the DB sets in `override` where it says, until `pop(owner)`."""
    frame = current_frame()
    frame_var.set(Frame(frame.unit, frame, owner, override))


def pop(owner: object) -> None:
    """Undo the innermost `enter_...` of `owner`; nothing happens where there is none, in another `Context` say.

    A generator that holds a `with` open can be closed after later ones have been entered: these stay. The end of a unit
    of work ends whatever was left open in it.
    """
    frame, later = frame_var.get(), []
    while frame is not None and frame.owner is not owner:
        later.append(frame)
        frame = frame.parent
    if frame is None:
        return
    frame.closed = True
    rest = frame.parent
    if frame.own_overrides is not None:
        frame.cache.reset(None)  # the router looks there first, in every copy of this context
        for kept in reversed(later):
            rest = Frame(kept.unit, rest, kept.owner, kept.own_overrides)
    frame_var.set(rest)
