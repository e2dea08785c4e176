"""The state of a world, and one step of it: an immutable value goes in, another one comes out.

`Run` puts the shipped objects of one actor together, lets a step use them, and takes them apart again. Beside them it
keeps what the model knows and pindb does not: which writes a read has to see (`Actor.knows`).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Self

from pindb.core import open_writes
from pindb.core.frames import frame_var
from pindb.core.transactions import connection_cache
from pindb.core.unit_of_work import ReplicaUnlessInTransaction
from pindb.web import overflow
from tests.model.connections import AUDIT, MASTER, MASTERS, Connection, Connections, db_set_of, seam
from tests.model.frozen import (
    NO_MEMORY,
    UNIT,
    Frozen,
    current_unit,
    freeze_frames,
    freeze_memory,
    thaw_frames,
    thaw_memory,
    thaw_routes,
)
from tests.model.servers import Server, Servers

START: Final = 1_700_000_000.0
"""When each world begins, in UTC epoch seconds: the wire format writes no year before 2001."""

NOBODY: Final = frozenset[str]()
WRITES: Final = list(UNIT).index("open_writes")
ROUTES: Final = list(UNIT).index("aliases")
"""Where these are in a frozen unit of work."""


class Violation(Exception):  # noqa: N818 - no error of the model
    """A guarantee does not hold. The text is the end of the last sentence of the story."""


class Known(NamedTuple):
    """What comes with a cookie, a message or a result, besides pins."""

    writes: frozenset[str] = NOBODY
    """A reader has to see these, as soon as they are committed."""
    pinned_until: float = 0.0
    """No pin that it brings may hold longer. 0: it brings none."""

    def join(self, other: Known) -> Known:
        return Known(self.writes | other.writes, max(self.pinned_until, other.pinned_until))


class Actor(NamedTuple):
    """A request or a task, as far as it has got."""

    next_step: int = 0
    frames: Frozen = ()
    """The units of work that its thread is in."""
    known: Known = Known()
    pinned_by_caller: bool = False
    """Whether a pin that came in with its carrier may hold."""
    wrote: frozenset[str] = NOBODY
    """The DB sets that it has written to."""
    places: tuple[str, ...] = ()
    """Where it has read, by DB set without repetitions."""
    seen: frozenset[str] = NOBODY
    seen_in_block: frozenset[str] = NOBODY
    """What it has read inside `atomic()`."""
    atomic: bool = False
    open: tuple[str, ...] = ()
    """What it has written in its open transaction."""
    connected: tuple[tuple[str, Any], ...] = ()
    """Its thread's connections to replicas, by alias."""
    received: Any = None
    """A request's cookies, as the shipped code has read them."""
    answer: tuple[tuple[str, str, float], ...] = ()
    """Cookies that its answer still has to set: name, value, end. The end of a deleted one has come."""
    done: bool = False


class World(NamedTuple):
    """Everything that changes."""

    servers: Servers
    actors: tuple[Actor, ...]
    memory: tuple[Frozen, ...]
    """What each process knows of the servers."""
    now: float = START
    jumps: int = 0
    failovers: int = 0
    crashes: int = 0
    kills: int = 0
    jar: tuple[tuple[str, str, float], ...] = ()
    """The browser's cookies: name, value, end."""
    browser: Known = Known()
    messages: tuple[tuple[str, Any, Known], ...] = ()
    """By task: the header, and what its reader has to see."""
    results: tuple[tuple[str, Any, Known, bool], ...] = ()
    """By task; and whether it has written."""
    audit: Servers = Servers(())
    """Those of the DB set "audit", where the world has one."""

    def message(self, task: str) -> tuple[Any, Known] | None:
        return next(((text, known) for name, text, known in self.messages if name == task), None)

    def result(self, task: str) -> tuple[Any, Known, bool] | None:
        return next((rest for name, *rest in self.results if name == task), None)  # type: ignore[misc]


def first_world(replicas: int, actors: int, processes: int, *, audit: bool = False) -> World:
    """Return a world at its start. The DB set "audit" has one replica."""
    world = World(Servers((Server(),) * (replicas + 1)), (Actor(),) * actors, (NO_MEMORY,) * processes)
    return world._replace(audit=Servers((Server(),) * 2)) if audit else world


def bring_servers(world: World) -> None:
    """Have the shipped code find the servers of `world`."""
    seam.clusters = {MASTER: world.servers, AUDIT: world.audit} if world.audit.all else {MASTER: world.servers}


def with_servers(world: World) -> World:
    """Return `world` with the servers as the shipped code has left them."""
    return world._replace(servers=seam.servers, audit=seam.clusters.get(AUDIT, world.audit))


class Run:
    """One step of one actor, while it is being taken."""

    def __init__(self, world: World, number: int, process: int, order: tuple[int, ...], *, monotonic: bool) -> None:
        self.world = world
        self.number = number
        self.process = process
        self.actor = world.actors[number]
        self.monotonic = monotonic
        self.order = order
        self.asked_for_order = False

    def __enter__(self) -> Self:
        bring_servers(self.world)
        seam.now, seam.thread, seam.order = self.world.now, self.number, self.order
        seam.decisions.clear()
        overflow._answered.clear()
        thaw_memory(self.world.memory[self.process])
        thaw_frames(self.actor.frames)
        self._thaw_connections()
        self._thaw_routes()
        return self

    def __exit__(self, *exc_info: object) -> None:
        frame_var.set(None)

    def _thaw_connections(self) -> None:
        connected = dict(self.actor.connected)
        for alias in Connections().settings:
            self.connection(alias).driver = connected.get(alias)
        connection = self.connection(MASTER)
        connection.set_atomic(self.actor.atomic)
        connection.open = list(self.actor.open)
        connection.__dict__.pop(open_writes.KEY, None)
        open_writes._here.transactions.clear()
        if self.actor.frames:
            for name in self.actor.frames[0][1][WRITES]:
                open_writes.note_write(connection, name, current_unit())  # type: ignore[arg-type]

    def _thaw_routes(self) -> None:
        """Have this thread's connections lie beside the routes that wait for the end of a transaction."""
        connection_cache.connections.clear()
        for _, unit in self.actor.frames[:1]:
            for route in thaw_routes(unit[ROUTES]).values():
                if isinstance(route, ReplicaUnlessInTransaction):
                    connection_cache.connections[route] = self.connection(MASTER)  # type: ignore[assignment]

    def connection(self, alias: str) -> Connection:
        return Connections()[alias]

    def change(self, **changes: Any) -> None:
        self.actor = self.actor._replace(**changes)

    def change_world(self, **changes: Any) -> None:
        self.world = self.world._replace(**changes)

    def after(self) -> World:
        """Return the world after the step."""
        self.asked_for_order = seam.order is None
        connection = self.connection(MASTER)
        if self.actor.done:  # what it knew makes no difference any more
            self.actor = Actor(frames=freeze_frames(), done=True)
        else:
            connected = ((alias, self.connection(alias).driver) for alias in Connections().settings)
            self.change(
                frames=freeze_frames(),
                atomic=connection.in_atomic_block,
                open=tuple(connection.open),
                connected=tuple(each for each in connected if each[0] not in MASTERS and each[1] is not None),
            )
        actors, memory = list(self.world.actors), list(self.world.memory)
        actors[self.number], memory[self.process] = self.actor, freeze_memory()
        return with_servers(self.world)._replace(actors=tuple(actors), memory=tuple(memory))

    def read(self, alias: str) -> None:
        """Check a read that goes to `alias`, and note what it has seen."""
        db_set = db_set_of(alias)
        servers = seam.clusters[db_set]
        seen, committed = servers.visible(seam.number_of(alias)), servers.visible(servers.master)
        actor = self.actor
        if missing := (actor.known.writes | actor.seen) & committed - seen:
            raise Violation(f"does not see {' and '.join(sorted(missing))}")
        if self.connection(db_set).in_atomic_block:  # read here for the extent of the block only, as documented
            self.change(seen_in_block=actor.seen_in_block | seen)
            return
        before = [place for place in actor.places if db_set_of(place) == db_set]
        if before and alias not in (before[-1], db_set):
            raise Violation(f"has changed from {before[-1]} to {alias}")
        if not before or before[-1] != alias:
            self.change(places=(*actor.places, alias))
        self.change(seen=actor.seen | seen)
        if self.monotonic:
            self.learn(Known(seen))
        self._check_reasons()

    def _check_reasons(self) -> None:
        for decision in seam.decisions:
            reason = decision.reason.value
            if reason in ("pinned by the caller", "waiting for a position") and not self.actor.pinned_by_caller:
                raise Violation(f'is "{reason}", although nobody has handed on a pin that holds')
            if reason == "pinned by a write here" and decision.db_set not in self.actor.wrote:
                raise Violation(f'is "{reason}", although it has written nothing to {decision.db_set}')

    def learn(self, known: Known) -> None:
        self.change(known=self.actor.known.join(known))

    def receive(self, known: Known) -> None:
        """Note what the carrier of this actor has brought."""
        holds = known.pinned_until > self.world.now
        self.learn(known if holds else Known(known.writes))
        self.change(pinned_by_caller=self.actor.pinned_by_caller or holds)
