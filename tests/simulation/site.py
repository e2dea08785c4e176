"""`Site`: threads in processes, browsers, and servers, as they are after some steps, and what has happened so far.

A step is one of the model's. `LiveRun` has it find the shipped objects of the thread that takes it.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any, Final, Self

from pindb.config.database_sets import Config, current_config, live
from pindb.config.rollout import rollout_of
from pindb.core import open_writes
from pindb.core.frames import Frame, frame_var
from pindb.core.transactions import connection_cache
from pindb.servers.position_cache import PositionCache, position_cache
from pindb.web import overflow
from tests.model.connections import MASTER, MASTERS, Connection, Driver, seam
from tests.model.seam import installed
from tests.model.servers import Servers
from tests.model.steps import Step
from tests.model.web_steps import Arrive
from tests.model.world import START, Actor, Known, Run, Violation, World, bring_servers, first_world, with_servers
from tests.simulation.kinds import Kind
from tests.simulation.steps import Token

PROCESSES: Final = 2
WEB_THREADS: Final = 3
WORKER_THREADS: Final = 3
BROWSERS: Final = 2


class NewDrivers(dict[Any, Driver]):
    """Keeps none of the driver's connections: an alias that is opened again gets a new one."""

    def setdefault(self, key: Any, driver: Any = None) -> Driver:
        return driver  # type: ignore[no-any-return]


@dataclass
class Process:
    """What its threads share."""

    name: str
    config: Config
    memory: dict[str, Any] = field(default_factory=lambda: vars(PositionCache()))


@dataclass
class Browser:
    name: str
    jar: tuple[tuple[str, str, float], ...] = ()
    known: Known = field(default_factory=Known)


@dataclass
class Thread:
    """A thread, and the request or the task that it runs."""

    number: int
    process: Process
    is_worker: bool
    name: str = ""
    """Of what it runs; "" if it is idle."""
    browser: Browser = field(default_factory=lambda: Browser("Nobody"))
    """Whose request it runs."""
    messages: tuple[str, ...] = ()
    """Those of the task that it runs."""
    eager: int = 0
    """How many tasks it runs inside that."""
    published_inside: bool = False
    """Whether something was handed on inside the open transaction."""
    frame: Frame | None = None
    transactions: dict[Any, None] = field(default_factory=dict)
    cached: dict[Any, Any] = field(default_factory=dict)

    @property
    def is_atomic(self) -> bool:
        return (master := seam.connections.get((self.number, MASTER))) is not None and master.in_atomic_block

    def connections(self) -> dict[str, Connection]:
        return {alias: connection for (number, alias), connection in seam.connections.items() if number == self.number}


class LiveRun(Run):
    """One step of a thread, on the objects that it has."""

    def __init__(self, world: World, thread: Thread, order: tuple[int, ...], *, monotonic: bool) -> None:
        super().__init__(world, thread.number, 0, order, monotonic=monotonic)
        self.thread = thread

    def __enter__(self) -> Self:
        thread = self.thread
        bring_servers(self.world)
        seam.now, seam.thread, seam.order = self.world.now, self.number, self.order
        seam.decisions.clear()
        overflow._answered.clear()
        position_cache.__dict__ = thread.process.memory
        live.replace(thread.process.config)
        open_writes._here.transactions = thread.transactions
        connection_cache.connections = thread.cached
        frame_var.set(thread.frame)
        return self

    def after(self) -> World:
        self.thread.frame = frame_var.get()
        connection = self.connection(MASTER)
        self.change(atomic=connection.in_atomic_block, open=tuple(connection.open))
        actors = list(self.world.actors)
        actors[self.number] = self.actor
        return with_servers(self.world)._replace(actors=tuple(actors))


@dataclass
class Flight:
    """An answer on its way to a browser."""

    name: str
    browser: Browser
    actor: Actor


class Site:
    """Everything that is simulated. pindb speaks to its servers until its `stack` is closed."""

    def __init__(self, *, replicas: int, kind: Kind, privileged: bool, audit: bool) -> None:
        self.monotonic = kind.monotonic
        self.bounded_lag = kind.bounded_lag
        self.orders = list(permutations(range(replicas)))
        self.stack = ExitStack()
        self.story = [f"(A site with {replicas} replicas, {kind}.)"]
        self.named = 0
        self.memory = position_cache.__dict__
        self.transactions, self.cached = open_writes._here.transactions, connection_cache.connections
        self.stack.enter_context(installed(replicas, kind.settings(replicas, audit=audit), privileged=privileged))
        self.stack.callback(setattr, seam, "drivers", seam.drivers)
        self.stack.callback(self._put_back)
        seam.drivers = NewDrivers()
        self.processes = [Process(f"Process {number}", current_config()) for number in range(1, PROCESSES + 1)]
        threads = (*(False,) * WEB_THREADS, *(True,) * WORKER_THREADS)
        self.threads = [
            Thread(number, self.processes[number % PROCESSES], is_worker) for number, is_worker in enumerate(threads)
        ]
        self.browsers = [Browser(f"Browser {number}") for number in range(1, BROWSERS + 1)]
        self.flights: list[Flight] = []
        self.tokens: list[Token] = []
        self.delivered: set[str] = set()
        """The messages of the tasks that run."""
        self.chords: dict[str, tuple[tuple[str, ...], str]] = {}
        """By header task: all of them, and the body."""
        self.results: list[str] = []
        self.world = first_world(replicas, len(self.threads), 0, audit=audit)
        bring_servers(self.world)
        seam.now = self.world.now

    def _put_back(self) -> None:
        position_cache.__dict__ = self.memory
        open_writes._here.transactions, connection_cache.connections = self.transactions, self.cached
        live.replace(None)

    def new_name(self, kind: str) -> str:
        self.named += 1
        return f"{kind} {self.named}"

    def tell(self, sentence: str) -> None:
        self.story.append(sentence)

    def told(self) -> str:
        return "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(self.story))

    def idle(self, *, workers: bool) -> list[Thread]:
        return [thread for thread in self.threads if not thread.name and thread.is_worker is workers]

    def busy(self) -> list[Thread]:
        return [thread for thread in self.threads if thread.name]

    def actor(self, thread: Thread) -> Actor:
        return self.world.actors[thread.number]

    def take(self, thread: Thread, step: Step, order: int = 0, name: str = "") -> LiveRun:
        """Have a thread take a step. Raises `Violation` with the whole story."""
        name = name or thread.name
        browser = thread.browser
        world = self.world._replace(jar=browser.jar, browser=browser.known)
        with LiveRun(world, thread, self.orders[order % len(self.orders)], monotonic=self.monotonic) as run:
            try:
                sentence = step.take(run)
            except Exception as error:
                self.tell(f"{name} {error if isinstance(error, Violation) else f'raises {error!r}'}.")
                raise Violation(self.told()) from error
            self.world = run.after()
        self.tell(f"{name} {sentence}.")
        return run

    def begin(self, thread: Thread, name: str, step: Step, **what: Any) -> None:
        """Have an idle thread begin a request or a task: what Django does, and `step`."""
        for connection in thread.connections().values():
            if connection.driver is not None and not connection.driver.is_alive():
                connection.close()
        thread.name, thread.eager = name, 0
        for key, value in what.items():
            setattr(thread, key, value)
        self.set_actor(thread, Actor())
        self.take(thread, step)

    def end(self, thread: Thread) -> None:
        thread.name, thread.messages = "", ()
        self.set_actor(thread, Actor())

    def set_actor(self, thread: Thread, actor: Actor) -> None:
        actors = list(self.world.actors)
        actors[thread.number] = actor
        self.world = self.world._replace(actors=tuple(actors))

    def arrive(self, flight: Flight) -> None:
        """Have an answer arrive, or its first cookie."""
        browser = flight.browser
        run = Run(
            self.world._replace(jar=browser.jar, browser=browser.known, actors=(flight.actor,)),
            0,
            0,
            (),
            monotonic=False,
        )
        before = run.actor.next_step
        sentence = Arrive().take(run)
        browser.jar, browser.known = run.world.jar, run.world.browser
        flight.actor = run.actor
        if run.actor.next_step == before:
            self.flights.remove(flight)
        self.tell(f"{flight.name} {sentence}.")

    def kill(self, process: Process) -> list[str]:
        """Kill a process; return the messages of the tasks that it ran."""
        messages: list[str] = []
        for thread in self.threads:
            if thread.process is process:
                messages += thread.messages
                for alias in thread.connections():
                    del seam.connections[thread.number, alias]
                thread.frame, thread.transactions, thread.cached = None, {}, {}
                self.end(thread)
        process.memory = vars(PositionCache())
        return messages

    def roll_out(self, process: Process, answer: object) -> None:
        """Have a process hear what the switch says."""
        config = process.config
        process.config = replace(config, rollout=rollout_of(answer, config.settings.rollout))
        self.tell(f"{process.name} hears from the switch: {answer}.")

    def servers_are(self, servers: Servers, sentence: str = "", *, audit: Servers | None = None) -> None:
        audit = audit or self.world.audit
        if self.bounded_lag:
            servers = servers.within_lag(self.world.now)
            audit = audit.within_lag(self.world.now) if audit.all else audit
        self.world = self.world._replace(servers=servers, audit=audit)
        bring_servers(self.world)
        if sentence:
            self.tell(f"{sentence}.")

    def draw(self, draw: float) -> None:
        """Have the next unit of work draw this number: whether it is inside a share of the requests."""
        seam.draw = draw

    def close_connections(self, thread: Thread) -> None:
        """Close a thread's connections, as Django does between requests: those to replicas."""
        for alias, connection in thread.connections().items():
            if alias not in MASTERS:
                connection.close()

    def jump(self, seconds: float) -> None:
        self.world = self.world._replace(now=self.world.now + seconds)
        seam.now = self.world.now
        self.servers_are(self.world.servers)
        self.tell(f"The clock jumps to {self.world.now - START:g} s.")
