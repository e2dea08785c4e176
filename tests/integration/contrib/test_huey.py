"""Huey with its Django integration: worker processes, and worker threads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

import pindb
from pindb.adapters import KEY
from pindb.testing.conformance import Conformance
from pindb.testing.queues import FAIL, PIN, expect, report
from tests.integration.contrib.lag import ReadYourWrites, RunningQueue
from tests.servers import Kept, Valkey


class Huey(RunningQueue):
    """The Huey of the site's settings."""

    name = "Huey"
    cannot = {"result": "A result is the return value alone, and brings no pins."}  # noqa: RUF012 - read only

    def __init__(self, worker: Kept) -> None:
        from tests.integration.contrib.huey_tasks import HUEY, perform

        self.worker = worker
        self.perform, self.huey = perform, HUEY

    def send(self, steps: Any) -> Any:
        return self.perform(steps)

    def send_delayed(self, steps: Any) -> Any:
        return self.perform.schedule((steps,), delay=1)

    def send_retried(self, steps: Any) -> Any:
        task = self.perform.s(steps)
        task.retries = 1
        return self.huey.enqueue(task)

    def send_twice(self, steps: Any) -> Any:
        message = self.huey.serialize_task(self.perform.s(steps))
        for _ in range(2):
            self.huey.storage.enqueue(message)

    def send_carrying(self, steps: Any, pins: str | None) -> Any:
        task = self.perform.s(steps, **({} if pins is None else {KEY: pins}))
        self.huey.storage.enqueue(type(self.huey).serialize_task(self.huey, task))

    def run_eagerly(self, steps: Any) -> Any:
        self.huey.immediate = True
        try:
            return self.perform(steps)
        finally:
            self.huey.immediate = False

    def send_sequence(self, *tasks: Any) -> Any:
        first, *rest = (self.perform.s(steps) for steps in tasks)
        for task in rest:
            first = first.then(task)
        return self.huey.enqueue(first)

    def send_fan_in(self, members: Any, then: Any) -> Any:
        from huey.api import chord

        return self.huey.enqueue(chord([self.perform.s(steps) for steps in members], self.perform.s(then)))


def missing(worker_type: str) -> str:
    """Return PINDB_MISSING_HEADER of the worker of this type."""
    return "master" if worker_type == "thread" else "replica"


@pytest.fixture(scope="module", params=["process", "thread"])
def worker(request: pytest.FixtureRequest, valkey: Valkey, start: Callable[..., Kept]) -> Iterator[Kept]:
    valkey.flush()
    with start(
        "-m",
        "django",
        "run_huey",
        "--workers",
        "1",
        "--worker-type",
        request.param,
        missing_header=missing(request.param),
    ) as worker:
        yield worker


class TestHuey(Conformance, ReadYourWrites):
    @pytest.fixture
    def queue(self, worker: Kept) -> Huey:
        queue = Huey(worker)
        queue.missing_header = missing(worker.command[-1])
        return queue

    def test_an_error_handler_reads_what_the_failed_task_wrote(self, queue: Huey, tmp_path: Any) -> None:
        task = queue.perform.s([PIN, FAIL]).error(queue.perform.s([report(tmp_path / "handler")]))
        queue.huey.enqueue(task)
        expect(queue, tmp_path / "handler", [True])

    def test_a_task_of_django_on_hueys_own_backend_starts_with_its_callers_pins(
        self, queue: Huey, tmp_path: Any
    ) -> None:
        pytest.importorskip("django.tasks", reason="Django 5.2 has no tasks")
        from tests.integration.contrib.django_tasks import on_huey

        with pindb.pinning_context():
            on_huey.enqueue([report(tmp_path / "before")])
            pindb.pin("default")
            on_huey.enqueue([report(tmp_path / "after")])
        expect(queue, tmp_path / "before", [False])
        expect(queue, tmp_path / "after", [True])

    @pytest.mark.parametrize("policy", ["warn", "error"])
    def test_a_task_that_is_enqueued_in_a_transaction_that_has_written_is_reported(
        self, queue: Huey, caplog: pytest.LogCaptureFixture, tmp_path: Any, policy: str
    ) -> None:
        from pindb.contrib.huey import guard
        from tests.shop.models import Customer

        guard.warned.clear()
        with pindb.pinning_context(), override_settings(PINDB_PUBLISH_IN_ATOMIC=policy), transaction.atomic():
            Customer.objects.create(name="rolled back")
            with pytest.raises(pindb.PinDbException) if policy == "error" else contextlib.nullcontext():
                queue.send([report(tmp_path / "sent")])
            transaction.set_rollback(True)
        assert (policy == "warn") == ("test_huey.py" in caplog.text)
        if policy == "warn":
            expect(queue, tmp_path / "sent", [True])

    def test_a_task_in_memory_does_not_have_the_pins_among_its_arguments(self, queue: Huey) -> None:
        task = queue.perform.s([])
        queue.huey.enqueue(task)
        assert task.kwargs == {}
        stored = queue.huey.deserialize_task(queue.huey.serialize_task(task))
        assert stored.kwargs == {}
