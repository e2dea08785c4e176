"""What requests and tasks do, step by step: each step calls the shipped code, and tells in a sentence what happened."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from django.http import HttpResponse

from pindb.adapters import base as adapters
from pindb.config.database_sets import current_config
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation import messages, results
from pindb.propagation.messages import KEY
from pindb.propagation.work import Work
from pindb.web import cookie
from tests.model.frozen import current_unit, current_work, freeze_pins, thaw_pins
from tests.model.seam import MASTER, router, seam
from tests.model.world import Known, Run, Violation, World
from tests.shop.models import Order


class Step:
    """One step. `ready` tells whether it can be taken yet; `take` takes it, and returns the rest of a sentence."""

    def ready(self, world: World) -> bool:
        return True

    def take(self, run: Run) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Write(Step):
    """Writes through the ORM."""

    what: str

    def take(self, run: Run) -> str:
        alias = router.db_for_write(Order)
        if alias != MASTER:
            raise Violation(f"writes {self.what} to {alias}")
        run.connection(alias).execute("INSERT INTO shop_order", self.what)
        run.change(wrote=True)
        run.learn(Known(frozenset({self.what})))
        return f"writes {self.what}"


class Read(Step):
    """Reads through the ORM, and has to see all that it knows of."""

    def take(self, run: Run) -> str:
        alias = router.db_for_read(Order)
        try:
            run.read(alias)
        except Violation as violation:
            raise Violation(f"reads {alias}, and {violation}") from None
        run.connection(alias).execute("SELECT * FROM shop_order")
        return f"reads {alias}"


class Begin(Step):
    def take(self, run: Run) -> str:
        run.connection(MASTER).set_atomic(True)
        return "begins a transaction"


class Commit(Step):
    def take(self, run: Run) -> str:
        run.connection(MASTER).commit()
        return "commits"


class Rollback(Step):
    def take(self, run: Run) -> str:
        connection = run.connection(MASTER)
        undone = frozenset(connection.open)
        connection.rollback()
        run.change(known=run.actor.known._replace(writes=run.actor.known.writes - undone))
        return "rolls back"


@dataclass(frozen=True)
class Elsewhere(Step):
    """Another program writes, one that has nothing to do with the others here."""

    what: str

    def take(self, run: Run) -> str:
        seam.servers = seam.servers.commit((self.what,), seam.now)
        return f"writes {self.what}"


class Together(Step):
    """Several steps as one: what may happen in between makes no difference, or another world explores it."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps

    def ready(self, world: World) -> bool:
        return self.steps[0].ready(world)

    def take(self, run: Run) -> str:
        said: list[str] = []
        for step in self.steps:
            try:
                said.append(step.take(run))
            except Violation as violation:
                said.append(str(violation))
                raise Violation(_listed(said)) from None
        return _listed(said)


def _listed(said: list[str]) -> str:
    return ", ".join(said[:-1]) + " and " * (len(said) > 1) + said[-1]


def handed_on(run: Run) -> Known:
    """Return what the next one has to see, and how long a pin may hold for its sake."""
    actor = run.actor
    known = actor.known
    settings = current_config().settings
    if actor.wrote or (actor.places and settings.positions and settings.monotonic_reads):
        seconds = settings.position_seconds if settings.positions else settings.pinning_seconds
        known = known.join(Known(pinned_until=math.ceil(seam.now + seconds)))
    return known


@dataclass(frozen=True)
class Publish(Step):
    """Enqueues a task. `again`: it is its own message that goes back into the queue, as with a retry."""

    task: str
    again: str = ""
    damaged: bool = False
    """Something on the way breaks the header."""

    def take(self, run: Run) -> str:
        existing = run.world.message(self.again) if self.again else None
        text = messages.outgoing(None if existing is None else existing[0][KEY])
        if self.damaged:
            text = f"{text};?"
        _put(run, self.task, text, handed_on(run))
        return f"enqueues {self.task!r}" + (" again" if self.again else "")


def _put(run: Run, task: str, text: Any, known: Known) -> None:
    run.change_world(messages=(*run.world.messages, (task, Header({KEY: text}), known)))


class Header(dict[str, Any]):
    """The header of a message, as part of a state."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))


@dataclass(frozen=True)
class Requeue(Step):
    """A thread that runs no task puts a message back into the queue, for another one to come: it hands on nothing."""

    message: str
    task: str

    def ready(self, world: World) -> bool:
        return world.message(self.message) is not None

    def take(self, run: Run) -> str:
        found = run.world.message(self.message)
        assert found is not None
        header, known = found
        _put(run, self.task, messages.outgoing(header[KEY]), known)
        return f"puts {self.message!r} back into the queue as {self.task!r}"


@dataclass(frozen=True)
class Receive(Step):
    """A worker takes the message of a task, or those of a batch, and opens the task's unit of work."""

    tasks: tuple[str, ...]

    def ready(self, world: World) -> bool:
        return all(world.message(task) is not None for task in self.tasks)

    def take(self, run: Run) -> str:
        found = [message for task in self.tasks if (message := run.world.message(task)) is not None]
        messages.open_message(*(adapters.pins_in(header) for header, _ in found))
        for _, known in found:
            run.receive(known)
        return "starts"


@dataclass(frozen=True)
class End(Step):
    """The task ends: its result is stored, its unit of work closed."""

    task: str = ""

    def take(self, run: Run) -> str:
        if self.task:
            _store_result(run, self.task)
        current_work().close()
        return "ends"


class Interrupt(Step):
    """The task is interrupted at the worst moment: nobody closes its unit of work."""

    def take(self, run: Run) -> str:
        return "is interrupted, and its unit of work is left open"


def _store_result(run: Run, task: str) -> None:
    stored = results.outcome()
    entry = (task, None if stored is None else Header(stored), handed_on(run), run.actor.wrote)
    run.change_world(results=(*run.world.results, entry))


@dataclass(frozen=True)
class EndMember(Step):
    """A header task of a chord ends. The last one takes the parts of all, and publishes the body."""

    task: str
    members: tuple[str, ...]
    body: str

    def take(self, run: Run) -> str:
        _store_result(run, self.task)
        parts = [part for member in self.members if (part := run.world.result(member)) is not None]
        last = len(parts) == len(self.members)
        if last:
            for pins, known, wrote in parts:
                take_result(run, pins, known, wrote=wrote)
            _put(run, self.body, messages.outgoing(), handed_on(run))
        current_work().close()
        return f"ends, and enqueues {self.body!r}" if last else "ends"


def take_result(run: Run, pins: Any, known: Known, *, wrote: bool) -> None:
    results.take(pins)
    run.receive(known)
    if wrote:  # its pins are the taker's own from now on, whatever the clock says
        run.change(wrote=True, pinned_by_caller=True)


@dataclass(frozen=True)
class Take(Step):
    """Waits for the result of a task, and takes it."""

    task: str

    def ready(self, world: World) -> bool:
        return world.result(self.task) is not None

    def take(self, run: Run) -> str:
        found = run.world.result(self.task)
        assert found is not None
        pins, known, wrote = found
        take_result(run, pins, known, wrote=wrote)
        return f"takes the result of {self.task!r}"


@dataclass(frozen=True)
class Request(Step):
    """A request comes in, with the browser's cookies: what `PinDbMiddleware` does before the view."""

    def take(self, run: Run) -> str:
        jar = {name: value for name, value, end in run.world.jar if end > run.world.now}
        received = cookie.read(SimpleNamespace(COOKIES=jar), current_config())  # type: ignore[arg-type]
        Work(UnitOfWork(received.pins, "cookie")).__enter__()
        run.change(received=(freeze_pins(received.pins), *received[1:]))
        run.receive(run.world.browser)
        return "comes in"


class Respond(Step):
    """The view returns: what `PinDbMiddleware` does after it. The answer is on its way."""

    def take(self, run: Run) -> str:
        pins, *rest = run.actor.received
        received = cookie.Received(thaw_pins(pins), *rest)
        response, unit = HttpResponse(), current_unit()
        current_work().close()
        to_set = cookie.pins_to_set(SimpleNamespace(META={}), response, unit, received)  # type: ignore[arg-type]
        if to_set:
            cookie.write(response, to_set, received)
        answer = [(name, morsel.value, run.world.now + morsel["max-age"]) for name, morsel in response.cookies.items()]
        run.change(answer=tuple(answer), known=handed_on(run), received=None)
        return "is answered"


class Arrive(Step):
    """The answer reaches the browser: one cookie after the other, so that another request may go out in between."""

    def take(self, run: Run) -> str:
        now, known = run.world.now, run.actor.known
        if run.actor.answer:
            (name, value, end), *rest = run.actor.answer
            jar = {name: (value, end) for name, value, end in run.world.jar if end > now}
            if end > now:
                jar[name] = (value, end)
            else:
                jar.pop(name, None)
            run.change_world(jar=tuple(sorted((name, *cookie) for name, cookie in jar.items())))
            run.change(answer=tuple(rest))
        if run.actor.answer:
            # Its pins may be there already, but nobody has seen the answer yet.
            run.change_world(browser=run.world.browser.join(Known(pinned_until=known.pinned_until)))
            run.change(next_step=run.actor.next_step - 1)
            return "has its first cookie set"
        run.change_world(browser=run.world.browser.join(known))
        return "has its answer arrive"
