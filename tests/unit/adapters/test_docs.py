"""The adapter in docs/adapters.md holds to the conformance tests, and every name of the kit is there."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pindb import adapters
from pindb.testing.conformance import Conformance
from pindb.testing.queues import FailedOnPurpose, QueueUnderTest, perform

PAGE = (Path(__file__).parents[3] / "docs" / "adapters.md").read_text()
QUEUE, ADAPTER, _ = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


class Example(QueueUnderTest):
    name = "the example"
    lacks = frozenset({"delayed", "retry", "retry_writes", "sequence", "fan_in", "result"})

    def __init__(self) -> None:
        names: dict[str, Any] = {}
        exec(QUEUE + ADAPTER, names)
        self.names, self.queue = names, names["Queue"]()
        self.queue.task(self.perform)
        names["install"](self.queue)
        names["install"](self.queue)

    def perform(self, steps: Any) -> None:
        perform(steps, self.send)

    def send(self, steps: Any) -> None:
        self.queue.publish("perform", [steps], {})

    def send_twice(self, steps: Any) -> None:
        self.send(steps)
        self.queue.messages.append(self.queue.messages[-1])

    def send_carrying(self, steps: Any, pins: str | None) -> None:
        headers = {} if pins is None else {adapters.KEY: pins}
        type(self.queue).publish(self.queue, "perform", [steps], headers)

    def run_eagerly(self, steps: Any) -> None:
        self.queue.eager = True
        try:
            self.send(steps)
        finally:
            self.queue.eager = False

    def work(self, until: Callable[[], bool]) -> None:
        """Have one thread work: it survives tasks that fail."""

        def work() -> None:
            while self.queue.messages:
                with contextlib.suppress(FailedOnPurpose):
                    self.queue.work()

        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
        assert until()


class TestExample(Conformance):
    @pytest.fixture
    def queue(self) -> Example:
        return Example()


def test_the_adapter_has_less_than_forty_lines() -> None:
    assert len(ADAPTER.splitlines()) < 40


def test_uninstall_leaves_the_queue_as_it_was() -> None:
    example = Example()
    example.names["uninstall"](example.queue)
    assert {"publish", "run"}.isdisjoint(vars(example.queue))


def test_the_page_describes_every_name_of_the_kit() -> None:
    table = PAGE.partition("## The names")[2].partition("## Prove it")[0]
    described: Sequence[str] = re.findall(r"`(\w+)", table)
    assert set(adapters.__all__) - {"VERSION"} <= set(described)
