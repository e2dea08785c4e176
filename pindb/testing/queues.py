"""What the conformance tests need of a task queue, and what its task does: see `conformance.py`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import pindb

Step = Sequence[Any]
Steps = Sequence[Step]
"""What a task does, one step after the other. It is JSON, so that any queue carries it."""

DB_SET: Final = "default"
TIMEOUT: Final = 60.0
"""Seconds that a worker has for what a test sends it."""

PATHS: Final = {
    "direct": "a task starts with the pins of its caller",
    "leak": "nothing is left over in a worker, after success or an error",
    "nested": "a task's own messages carry what it was given and what it wrote",
    "delayed": "a delayed task starts with the pins of its caller",
    "retry": "a retry has the pins of the first run",
    "retry_writes": "a retry has what the failed run wrote",
    "redelivery": "a message that is delivered again has the same pins",
    "eager": "a task that its caller runs itself starts with the caller's pins and hands its own back",
    "sequence": "the next task of a chain or pipeline reads what the task before wrote",
    "fan_in": "a task that waits for several reads what each of them wrote",
    "result": "who takes a result reads what the task wrote",
    "garbage": "pins that cannot be read, or are of a newer pindb, mean masters",
    "missing": "a message without pins follows PINDB_MISSING_HEADER",
}
"""The paths, by the name that `QueueUnderTest.cannot` has for them."""


def report(name: object) -> Step:
    """Return the step that writes into the file `name` what is pinned."""
    return ["report", str(name)]


PIN: Final[Step] = ["pin"]
UNPIN: Final[Step] = ["unpin"]
FAIL: Final[Step] = ["fail"]


class FailedOnPurpose(Exception):  # noqa: N818 - it is no error
    """Raised by the step that fails."""


def perform(steps: Steps, send: Callable[[Any], object]) -> bool:
    """Do `steps` in a task; `send` publishes it with others. Return whether "default" was pinned as it began."""
    pinned = pindb.is_pinned(DB_SET)
    for name, *args in steps:
        if name == "report":
            _append(Path(args[0]), pindb.is_pinned(DB_SET))
        elif name == "pin":
            pindb.pin(DB_SET)
        elif name == "unpin":
            pindb.unpin_all()
        elif name == "send":
            send(args[0])
        elif name == "fail" or (name == "fail once" and _is_first(Path(args[0]))):
            raise FailedOnPurpose
    return pinned


def expect(queue: QueueUnderTest, path: Path, pinned: list[bool]) -> None:
    """Assert what the reports in the file `path` say, in their order, once there are that many."""
    queue.work(lambda: len(_lines(path)) >= len(pinned))
    found = [json.loads(line) for line in _lines(path)]
    assert found == pinned, f"pinned in {path.name}: {found}, expected {pinned}"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _append(path: Path, pinned: bool) -> None:
    with path.open("a") as file:
        file.write(json.dumps(pinned) + "\n")


def _is_first(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class QueueUnderTest:
    """What the tests need of a queue. Methods of paths that it declares in `cannot` or `lacks` need not be there."""

    name: ClassVar[str] = ""
    install: ClassVar[str] = ""
    """How its users install the adapter, in one line."""
    cannot: ClassVar[Mapping[str, str]] = {}
    """The paths on which it cannot carry pins, with the reason."""
    lacks: ClassVar[frozenset[str]] = frozenset()
    """The paths that it does not have: a queue without retries, for example."""
    missing_header: str = "replica"
    """PINDB_MISSING_HEADER of the worker."""

    def send(self, steps: Any) -> object:
        """Publish the task with `steps`; return what `take()` takes its result from."""
        raise NotImplementedError

    def work(self, until: Callable[[], bool]) -> None:
        """Have one worker process run until `until()` is true. By default, wait for a worker that runs already."""
        deadline = time.monotonic() + TIMEOUT
        while not until():
            assert time.monotonic() < deadline, f"After {TIMEOUT:.0f} s the worker has not done what it was sent."
            time.sleep(0.02)

    def send_delayed(self, steps: Any) -> object:
        """Publish the task for a moment that is soon to come."""
        raise NotImplementedError

    def send_retried(self, steps: Any) -> object:
        """Publish the task so that it is run again when it fails, once."""
        raise NotImplementedError

    def send_twice(self, steps: Any) -> object:
        """Publish the task, and have its message delivered twice."""
        raise NotImplementedError

    def send_carrying(self, steps: Any, pins: str | None) -> object:
        """Publish the task with the text `pins` in its message instead of pindb's; with nothing of pindb's for None."""
        raise NotImplementedError

    def run_eagerly(self, steps: Any) -> object:
        """Publish the task in the way that runs it at once, in this process."""
        raise NotImplementedError

    def send_sequence(self, *tasks: Any) -> object:
        """Publish tasks of which each runs after the one before."""
        raise NotImplementedError

    def send_fan_in(self, members: Sequence[Any], then: Any) -> object:
        """Publish tasks, and one that runs when all of them have."""
        raise NotImplementedError

    def take(self, sent: Any) -> object:
        """Take the result of what was sent, in this unit of work."""
        raise NotImplementedError
