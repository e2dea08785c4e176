"""`UnitOfWork`: the pins of one unit of work, its choice of replicas, and the decisions that it has cached.

It is mutable and shared by reference. So a pin made in a child task of asyncio, under `sync_to_async` or in an async
actor is a pin of the whole unit of work. An immutable value would be lost with the child's copy of the context.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, Final
from weakref import WeakSet

from pindb.config.database_sets import ALL_SETS, Config, DbSet
from pindb.config.rollout import DRAWS, Rollout
from pindb.core.activity import Activity
from pindb.core.open_writes import OpenWrite
from pindb.core.pins import NOTHING, Origin, PinnedBy, PinnedPosition, PinSet, merge_positions
from pindb.core.transactions import ReplicaUnlessInTransaction


class RouteCache:
    """The routing decisions so far, by the alias that was asked for. They make a repeated decision cheap.

    A string is the answer until a pin overwrites it.
    """

    __slots__ = ("aliases", "config", "counters")

    def __init__(self) -> None:
        self.config: Config | None = None
        self.aliases: dict[str, str | ReplicaUnlessInTransaction] = {}
        self.counters: dict[str, Any] | None = None
        """By alias: what counts the reads that a cached decision answers; None while nobody observes."""

    def reset(self, config: Config | None) -> None:
        """Forget the decisions. Those from here on are made under `config`."""
        self.aliases.clear()
        self.counters = None
        self.config = config


NO_HANDOFF: Final = (None, NOTHING)
FROM_CALLER: Final = Origin(PinnedBy.CALLER)
NO_ORIGINS: Final[Mapping[str, Origin]] = {}
NO_NAMES: Final[frozenset[str]] = frozenset()
_generator: Final = Random()  # noqa: S311 - no secret. Whoever seeds the one of `random` shares nothing with this
_random: Final = _generator.random


class UnitOfWork(RouteCache):
    """One unit of work, and the decisions made in it outside all overrides.

    Keys are names of DB sets, or `ALL_SETS`. Only `absorb` needs a lock. Every other step replaces one attribute, or is
    one operation on a built-in set or dict, and the pins of this unit of work stay.
    """

    __slots__ = (
        "activity",
        "announced",
        "awaiting_position",
        "checked_connections",
        "chosen_replicas",
        "draw",
        "failed_replicas",
        "held_by",
        "held_pins",
        "inherited",
        "last_handoff",
        "open_writes",
        "origins",
        "passed_position",
        "pins_made",
        "reads",
        "source",
    )

    def __init__(self, inherited: PinSet = NOTHING, source: object = "") -> None:
        super().__init__()
        self.inherited = inherited
        """The pins that a carrier brought in, with the times to hand them on with."""
        self.source = source
        """The carrier, as text or what prints as such."""
        self.origins: Mapping[str, Origin] = NO_ORIGINS
        """Where the pins come from that no carrier brought in: the first cause of each."""
        self.pins_made: set[str] = set()
        """New pins for good."""
        self.open_writes: dict[OpenWrite, str] = {}
        """New pins that a rollback takes back."""
        self.announced: set[tuple[str, int]] = set()
        """Pins because a router was asked where to write, by which thread. A statement that writes makes the pin."""
        self.held_pins: set[str] = set(inherited.timed)
        """Pins for good that are not handed on as new ones: inherited, announced, or made with `count_as_new=False`."""
        if ALL_SETS in inherited.positioned:
            self.held_pins.add(ALL_SETS)
        self.awaiting_position: dict[str, tuple[PinnedPosition, ...]] = dict(inherited.positioned)
        """Inherited pins with log positions. The first read of the DB set decides whether they hold."""
        self.passed_position: dict[str, tuple[PinnedPosition, ...]] = {}
        """The log positions of pins that ended, because the chosen replica has passed them."""
        self.checked_connections: dict[str, WeakSet[object]] | None = None
        """The driver's connections, of all threads, on which a DB set's passed position was seen."""
        self.last_handoff: tuple[object, PinSet] = NO_HANDOFF
        """The pins that were handed on last, and what they were made of."""
        self.chosen_replicas: dict[str, str] = {}
        self.failed_replicas = NO_NAMES
        """The DB sets that are read from their masters to the end, because their replica did not finish a read."""
        self.draw = int(_random() * DRAWS)
        """The number that its causal chain has drawn: whether it is inside the share that may read replicas."""
        self.held_by: Rollout | None = None
        """What has kept a read from a replica, and decides to the end: no unit of work changes back to a replica."""
        self.reads: list[Any] | None = None
        """The counts of its reads, in the order of their first ones; None while nobody observes."""
        self.activity = Activity()

    @property
    def newly_pinned(self) -> frozenset[str]:
        """The new pins to hand on, those of open transactions included."""
        open_writes = list(self.open_writes.values())  # before `pins_made`: another thread may commit in between
        return frozenset(self.pins_made).union(open_writes) if open_writes else frozenset(self.pins_made)

    def is_pinned(self, name: str) -> bool:
        return name in self.awaiting_position or self.is_pinned_to_end(name)

    def is_pinned_to_end(self, name: str) -> bool:
        """Return whether the DB set is pinned to the end of this unit of work: by `pins_made` or `held_pins`."""
        made, other = self.pins_made, self.held_pins
        return name in made or name in other or ALL_SETS in made or ALL_SETS in other

    def note_origin(self, name: str, origin: Origin) -> None:
        """Note the cause of a pin, if it is the first one."""
        if name not in self.origins:
            self.origins = {**self.origins, name: origin}

    def origin_of(self, name: str) -> Origin:
        """Return where the pin of a DB set comes from, which is there."""
        made = self.origins.get(name) or self.origins.get(ALL_SETS)
        return made or Origin(PinnedBy.CALLER, str(self.source))

    def pin(self, db_set: DbSet, *, as_new: bool, origin: Origin | None = None) -> None:
        """Pin a DB set. Without an `origin` the carrier's pin goes on."""
        if origin is not None:
            self.note_origin(db_set.name, origin)
        (self.pins_made if as_new else self.held_pins).add(db_set.name)
        self.aliases.update(db_set.masters)

    def announce(self, db_set: DbSet, origin: Origin | None) -> None:
        """Read the master from here on: a router was asked where to write, so a write may come."""
        self.announced.add((db_set.name, threading.get_ident()))
        if db_set.name not in self.pins_made:
            self.pin(db_set, as_new=False, origin=origin)

    def hold(self, write: OpenWrite) -> None:
        """Hand on a pin from here on, unless the transaction of `write` rolls back."""
        self.open_writes[write] = write.name
        write.units.append(self)

    def leave_replica(self, db_set: DbSet) -> None:
        """Read the master from here on, in all threads, and pin nothing: the replica did not finish a read."""
        self.failed_replicas |= {part.name for part in (db_set, *db_set.parts)}
        for part in (db_set, *db_set.parts):
            self.chosen_replicas[part.name] = db_set.name
            self.aliases.update(part.masters)

    def required_position(self, name: str) -> tuple[PinnedPosition, ...] | None:
        """Return the log positions that a replica must have passed to be read here; None without any."""
        return self.awaiting_position.get(name) or self.passed_position.get(name)

    def resolve_position(self, db_set: DbSet, *, ended: bool) -> None:
        """Resolve the log position that `db_set` waits for: its pin has ended, or holds to the end of the unit of work.

        If it has ended, each further connection still has to show that its server has the data. The pin holds after all
        if one does not.
        """
        name = db_set.name
        if not ended:  # in this order: another thread may look in between
            self.pin(db_set, as_new=False)
        elif (positions := self.awaiting_position.get(name)) is not None:
            self.passed_position[name] = positions
        self.awaiting_position.pop(name, None)

    def note_checked(self, name: str, connection: object) -> None:
        """Note that the server behind `connection`, a driver's, has passed the position that the DB set requires."""
        if self.checked_connections is None:
            self.checked_connections = {}
        self.checked_connections.setdefault(name, WeakSet()).add(connection)

    def has_checked(self, name: str, connection: object) -> bool:
        return self.checked_connections is not None and connection in self.checked_connections.get(name, ())

    def clear(self) -> None:
        """Start again, with nothing pinned."""
        self.inherited = NOTHING
        self.origins = NO_ORIGINS
        self.pins_made.clear()
        self.open_writes.clear()
        self.announced.clear()
        self.held_pins.clear()
        self.awaiting_position.clear()
        self.passed_position.clear()
        self.checked_connections = None
        self.activity.clear()
        self.chosen_replicas.clear()
        self.failed_replicas = NO_NAMES
        self.held_by = None
        self.reset(None)

    def rebuild_cache(self, config: Config) -> None:
        """Have the cache say what the pins say, under `config`. DB sets that nobody has asked for cost nothing."""
        if self.config is not config:
            for name, replica in list(self.chosen_replicas.items()):
                if name not in config.pinnable or replica not in config.pinnable[name].replicas:
                    self.chosen_replicas.pop(name, None)
            self.reset(config)
        pinned = self.newly_pinned | self.held_pins
        for name in pinned:
            if (db_set := config.pinnable.get(name)) is not None:
                self.aliases.update(db_set.masters)
        if ALL_SETS in pinned:
            for alias in list(self.aliases):
                if (owner := config.by_key.get(alias)) is not None:
                    self.aliases[alias] = owner.masters[alias]

    def absorb(self, new: Iterable[str], given: PinSet, origin: Origin = FROM_CALLER) -> None:
        """Add the pins of a unit of work that this one has waited for.

        The new ones are its own new pins from now on.
        """
        for name in new:
            self.note_origin(name, origin)
            self.pins_made.add(name)
            self.activity.mark_changed(name)
        with _absorbing:
            inherited = self.inherited.join(given)
            # The positions that this one was given itself are resolved already, or will be.
            self.held_pins.update(name for name in given if inherited[name] != self.inherited.get(name))
            self.inherited = inherited
        if self.config is not None:
            self.rebuild_cache(self.config)

    def inherit(self, pins: PinSet, origin: Origin) -> None:
        """Add pins that a carrier has brought in after the start. The next read decides about their log positions."""
        for name in pins:
            self.note_origin(name, origin)
        self.held_pins.update(pins.timed, {ALL_SETS} & pins.positioned.keys())
        for name, positions in pins.positioned.items():
            self.awaiting_position[name] = merge_positions(self.required_position(name) or (), positions)
            (self.checked_connections or {}).pop(name, None)
        with _absorbing:
            self.inherited = self.inherited.join(pins)
        self.reset(None)

    def absorb_child(self, child: UnitOfWork) -> None:
        """Add the pins of a unit of work that has run inside this one, and read from here on where it has read."""
        for write in list(child.open_writes):  # before `pins_made`: another thread may commit in between
            if write not in self.open_writes:
                self.hold(write)
        self.origins = {**child.origins, **self.origins}
        self.held_pins |= child.held_pins
        for name, replica in child.chosen_replicas.items():
            self.chosen_replicas.setdefault(name, replica)
        self.failed_replicas |= child.failed_replicas
        self.held_by = self.held_by or child.held_by
        self.activity.absorb(child.activity)
        self.reset(None)
        self.absorb(frozenset(child.pins_made), child.inherited, Origin(PinnedBy.CALLER, str(child.source)))

    def child(self) -> UnitOfWork:
        """Return a unit of work that starts with the pins and replicas of this one."""
        child = UnitOfWork(self.inherited, self.source)
        child.origins = self.origins
        for write in list(self.open_writes):
            child.hold(write)
        child.pins_made.update(self.pins_made)
        child.announced = set(self.announced)
        # Before `held_pins`, because another thread may resolve a position in between.
        child.awaiting_position = dict(self.awaiting_position)
        child.held_pins = set(self.held_pins)
        child.passed_position = dict(self.passed_position)
        child.chosen_replicas.update(self.chosen_replicas)
        child.failed_replicas = self.failed_replicas
        child.draw, child.held_by = self.draw, self.held_by
        child.activity.absorb(self.activity)
        child.config = self.config
        child.aliases.update(self.routes())
        return child

    def routes(self) -> dict[str, str | ReplicaUnlessInTransaction]:
        """Return the cached decisions, by alias."""
        return self.aliases

    def extend(self) -> None:
        """Note a write. An implicit unit of work ends some time after its last one; the others do not care."""


_absorbing: Final = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_absorbing._at_fork_reinit)  # type: ignore[attr-defined]
    os.register_at_fork(after_in_child=_generator.seed)
