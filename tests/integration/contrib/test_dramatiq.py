"""Dramatiq on the conformance tests; tests/integration/dramatiq has its own paths."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker

from pindb.adapters import KEY, outgoing
from pindb.testing.conformance import Conformance
from tests.integration.contrib.lag import ReadYourWrites, RunningQueue
from tests.servers import Kept, Valkey


class Dramatiq(RunningQueue):
    """A broker with pindb."""

    name = "Dramatiq"
    lacks = frozenset({"eager"})

    def __init__(self, worker: Kept) -> None:
        from tests.integration.contrib import dramatiq_tasks

        self.worker = worker
        self.tasks, self.perform = dramatiq_tasks, dramatiq_tasks.perform

    def send(self, steps: Any) -> Any:
        return self.perform.send(steps)

    def send_delayed(self, steps: Any) -> Any:
        return self.perform.send_with_options(args=(steps,), delay=1000)

    def send_retried(self, steps: Any) -> Any:
        return self.perform.send_with_options(args=(steps,), max_retries=1, min_backoff=10, max_backoff=10)

    def send_twice(self, steps: Any) -> Any:
        for pins in [outgoing()] * 2:
            self.send_carrying(steps, pins)

    def send_carrying(self, steps: Any, pins: str | None) -> Any:
        plain = RedisBroker(url=self.tasks.BROKER)
        plain.declare_queue(self.perform.queue_name)
        message = self.perform.message(steps)
        try:
            return plain.enqueue(message.copy(options={} if pins is None else {KEY: pins}))
        finally:
            plain.close()

    def send_sequence(self, *tasks: Any) -> Any:
        messages = [self.perform.message(steps) for steps in tasks]
        return dramatiq.pipeline(messages, broker=self.tasks.broker).run()

    def send_fan_in(self, members: Any, then: Any) -> Any:
        group = dramatiq.group([self.perform.message(steps) for steps in members], broker=self.tasks.broker)
        group.add_completion_callback(self.perform.message(then))
        return group.run()

    def take(self, sent: Any) -> Any:
        return sent.get_result(backend=self.tasks.broker.get_results_backend(), block=True, timeout=30_000)


@pytest.fixture(scope="module")
def worker(valkey: Valkey, start: Callable[..., Kept]) -> Iterator[Kept]:
    valkey.flush()
    script = str(Path(sys.executable).with_name("dramatiq"))
    module = "tests.integration.contrib.dramatiq_tasks:broker"
    with start(script, module, "--processes", "1", "--threads", "1", "--path", ".") as worker:
        yield worker
    from tests.integration.contrib.dramatiq_tasks import broker

    broker.close()


class TestDramatiq(Conformance, ReadYourWrites):
    @pytest.fixture
    def queue(self, worker: Kept) -> Dramatiq:
        return Dramatiq(worker)
