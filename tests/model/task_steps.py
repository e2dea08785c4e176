"""What tasks do: their messages and their results, on their ways through a queue that does as it likes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pindb.adapters import base as adapters
from pindb.propagation import messages, results
from pindb.propagation.messages import KEY
from tests.model.frozen import current_work
from tests.model.steps import Step, handed_on
from tests.model.world import Known, Run, World


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
        known = handed_on(run)
        if self.damaged:  # its reader pins everything
            text, known = f"{text};?", known.join(Known(pinned_until=math.inf))
        _put(run, self.task, text, known)
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


class StartEager(Step):
    """A task is called, and runs right here, in the process of its caller."""

    def take(self, run: Run) -> str:
        messages.open_eager()
        return "runs a task right here"


class EndEager(Step):
    def take(self, run: Run) -> str:
        current_work().close()
        return "has the task end"


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


def take_result(run: Run, pins: Any, known: Known, *, wrote: frozenset[str]) -> None:
    results.take(pins)
    run.receive(known)
    if wrote:  # its pins are the taker's own from now on, whatever the clock says
        run.change(wrote=run.actor.wrote | wrote, pinned_by_caller=True)


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
