"""RQ and django-rq: jobs in forked processes, and in a worker that runs them itself."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rq
from django.db import transaction

import pindb
from pindb.adapters import KEY
from pindb.testing.conformance import Conformance
from pindb.testing.queues import FAIL, PIN, expect, report
from tests.integration.contrib.lag import Queue, ReadYourWrites, looks
from tests.servers import Kept, Valkey

SECOND = datetime.timedelta(seconds=1)


class RQ(Queue):
    """django-rq's queue, as its users get it."""

    name = "RQ, django-rq"

    def __init__(self, worker: Kept) -> None:
        import django_rq

        from tests.integration.contrib.rq_jobs import perform

        self.perform, self.queue = perform, django_rq.get_queue()
        self.worker = worker

    def send(self, steps: Any) -> Any:
        return self.queue.enqueue(self.perform, steps)

    def send_delayed(self, steps: Any) -> Any:
        return self.queue.enqueue_in(SECOND, self.perform, steps)

    def send_retried(self, steps: Any) -> Any:
        return self.queue.enqueue(self.perform, steps, retry=rq.Retry(max=1))

    def send_twice(self, steps: Any) -> Any:
        job = self.send(steps)
        self.queue.push_job_id(job.id)
        return job

    def send_carrying(self, steps: Any, pins: str | None) -> Any:
        plain = rq.Queue("default", connection=self.queue.connection)
        return plain.enqueue_call(self.perform, (steps,), meta={} if pins is None else {KEY: pins})

    def run_eagerly(self, steps: Any) -> Any:
        import django_rq

        return django_rq.get_queue(is_async=False).enqueue(self.perform, steps)

    def send_sequence(self, *tasks: Any) -> Any:
        job = None
        for steps in tasks:
            job = self.queue.enqueue(self.perform, steps, depends_on=job)
        return job

    def send_fan_in(self, members: Any, then: Any) -> Any:
        return self.queue.enqueue(self.perform, then, depends_on=[self.send(steps) for steps in members])

    def take(self, sent: Any) -> Any:
        return sent.latest_result(timeout=10)


def missing(worker_class: str) -> str:
    """Return PINDB_MISSING_HEADER of the worker of this class."""
    return "master" if worker_class == "rq.SimpleWorker" else "replica"


@pytest.fixture(scope="module", params=["rq.Worker", "rq.SimpleWorker"])
def worker(request: pytest.FixtureRequest, valkey: Valkey, start: Callable[..., Kept]) -> Iterator[Kept]:
    valkey.flush()
    with start(
        "rqworker", "--with-scheduler", "--worker-class", request.param, missing_header=missing(request.param)
    ) as worker:
        yield worker


class TestRQ(Conformance, ReadYourWrites):
    @pytest.fixture
    def queue(self, worker: Kept) -> RQ:
        queue = RQ(worker)
        queue.missing_header = missing(worker.command[-1])
        return queue

    @pytest.mark.parametrize("end", [[], [FAIL]], ids=["success", "failure"])
    def test_a_callback_reads_what_the_job_wrote_and_leaves_nothing_over(
        self, queue: RQ, tmp_path: Path, end: Any
    ) -> None:
        from tests.integration.contrib import rq_jobs

        callbacks = {"on_success": rq.Callback(rq_jobs.on_success), "on_failure": rq.Callback(rq_jobs.on_failure)}
        for name in ("first", "second"):
            meta = {"report": str(tmp_path / name)}
            queue.queue.enqueue(queue.perform, [PIN, *end], meta=meta, **callbacks)
            assert meta == {"report": str(tmp_path / name)}
        queue.queue.enqueue(queue.perform, [report(tmp_path / "third")])
        expect(queue, tmp_path / "first", [True])
        expect(queue, tmp_path / "second", [True])
        expect(queue, tmp_path / "third", [False])

    def test_a_job_reads_masters_if_nobody_knows_what_it_waited_for_has_written(
        self, queue: RQ, tmp_path: Path
    ) -> None:
        gone = queue.queue.enqueue(queue.perform, [], result_ttl=0)
        queue.queue.enqueue(queue.perform, [report(tmp_path / "next")], depends_on=gone)
        expect(queue, tmp_path / "next", [True])

    def test_a_job_that_is_enqueued_in_a_transaction_carries_its_writes_once_it_commits(
        self, queue: RQ, tmp_path: Any
    ) -> None:
        from tests.shop.models import Customer

        with pindb.pinning_context():
            with transaction.atomic():
                queue.send([["look", str(tmp_path / "seen"), "committed"]])
                Customer.objects.create(name="committed")
            assert looks(queue, tmp_path / "seen", 1) == [[True, "default"]]
            Customer.objects.filter(name="committed").delete()
