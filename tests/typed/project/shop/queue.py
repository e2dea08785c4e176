"""An adapter for a queue of the shop's own, made with the kit, and the tests that prove it."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from pindb.adapters import (
    KEY,
    Patch,
    Work,
    open_eager,
    open_message,
    open_safely,
    outcome,
    outgoing,
    pins_in,
    take,
    unwrap,
    wrap,
)
from pindb.testing.conformance import Conformance
from pindb.testing.queues import QueueUnderTest, perform

Message = dict[str, Any]


class Queue:
    """A queue that runs its messages when it is told to."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.eager = False

    def publish(self, message: Message) -> None:
        """Add a message."""
        self.messages.append(message)

    def run(self, message: Message) -> object:
        """Run a message."""
        return perform(message["steps"], send=lambda steps: self.publish({"steps": steps}))


def install(queue: Queue) -> None:
    """Carry pins through the queue."""
    wrap(queue, queue, Patch(queue, "publish", _with_pins), Patch(queue, "run", _in_unit_of_work(queue)))


def uninstall(queue: Queue) -> None:
    """Undo it."""
    unwrap(queue, queue)


def _with_pins(publish: Callable[[Message], None]) -> Callable[[Message], None]:
    def publish_with_pins(message: Message) -> None:
        pins = outgoing(message.get(KEY))
        publish(message if pins is None else {**message, KEY: pins})

    return publish_with_pins


def _in_unit_of_work(queue: Queue) -> Callable[[Callable[[Message], object]], Callable[[Message], object]]:
    def open_work(message: Message) -> Work:
        return open_eager() if queue.eager else open_message(pins_in(message))

    def decorator(run: Callable[[Message], object]) -> Callable[[Message], object]:
        def run_in_unit_of_work(message: Message) -> object:
            with open_safely(open_work, message, "a task"):
                result = run(message)
                take(outcome())
                return result

        return run_in_unit_of_work

    return decorator


class ShopQueue(QueueUnderTest):
    """The shop's queue as the conformance tests see it."""

    name = "The shop's queue"
    cannot: ClassVar = {"result": "It stores no results."}
    lacks = frozenset({"retry", "retry_writes"})

    def __init__(self) -> None:
        self.queue = Queue()

    def send(self, steps: Any) -> None:
        self.queue.publish({"steps": steps})


class TestQueue(Conformance):
    """All conformance tests."""

    @pytest.fixture
    def queue(self) -> QueueUnderTest:
        return ShopQueue()
