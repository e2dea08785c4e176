"""Celery on the conformance tests; tests/integration/celery has its own paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery as CeleryApp
from celery import chain, chord

from pindb.adapters import KEY
from pindb.testing.conformance import Conformance
from tests.integration.contrib.lag import ReadYourWrites, RunningQueue
from tests.servers import Kept, Valkey


class Twice:
    """A producer that publishes each message twice."""

    def __init__(self, producer: Any) -> None:
        self.producer = producer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.producer, name)

    def publish(self, *args: Any, **options: Any) -> Any:
        self.producer.publish(*args, **options)
        return self.producer.publish(*args, **options)


class Celery(RunningQueue):
    """An app with pindb."""

    name = "Celery"

    def __init__(self, worker: Kept) -> None:
        from tests.integration.contrib import celery_tasks

        self.worker = worker
        self.tasks, self.perform = celery_tasks, celery_tasks.perform

    def send(self, steps: Any) -> Any:
        return self.perform.delay(steps)

    def send_delayed(self, steps: Any) -> Any:
        return self.perform.apply_async((steps,), countdown=1)

    def send_retried(self, steps: Any) -> Any:
        return self.tasks.perform_again.delay(steps)

    def send_twice(self, steps: Any) -> Any:
        with self.tasks.app.producer_or_acquire() as producer:
            return self.perform.apply_async((steps,), producer=Twice(producer))

    def send_carrying(self, steps: Any, pins: str | None) -> Any:
        plain = CeleryApp("plain", broker=self.tasks.BROKER, set_as_current=False)
        try:
            return plain.send_task(self.perform.name, (steps,), headers={} if pins is None else {KEY: pins})
        finally:
            plain.close()

    def run_eagerly(self, steps: Any) -> Any:
        return self.perform.apply((steps,))

    def send_sequence(self, *tasks: Any) -> Any:
        return chain(*(self.perform.si(steps) for steps in tasks)).apply_async()

    def send_fan_in(self, members: Any, then: Any) -> Any:
        return chord([self.perform.si(steps) for steps in members])(self.perform.si(then))

    def take(self, sent: Any) -> Any:
        return sent.get(timeout=30)


@pytest.fixture(scope="module")
def worker(valkey: Valkey, start: Callable[..., Kept]) -> Iterator[Kept]:
    valkey.flush()
    options = ["--pool=solo", "--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel=INFO"]
    with start("-m", "celery", "-A", "tests.integration.contrib.celery_tasks", "worker", *options) as worker:
        yield worker
    from tests.integration.contrib.celery_tasks import app

    app.close()


class TestCelery(Conformance, ReadYourWrites):
    @pytest.fixture
    def queue(self, worker: Kept) -> Celery:
        return Celery(worker)
