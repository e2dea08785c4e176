"""RQ and django-rq: jobs in forked processes, and in a worker that runs them itself."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rq
from django.db import transaction
from django.test import override_settings

import pindb
from pindb import PinDbException
from pindb.adapters import KEY
from pindb.contrib.rq import Job, Queue, guard, warned
from pindb.testing.conformance import Conformance
from pindb.testing.queues import FAIL, PIN, expect, report
from tests.integration.contrib.lag import ReadYourWrites, RunningQueue, looks
from tests.servers import Kept, Valkey

SECOND = datetime.timedelta(seconds=1)


class RQ(RunningQueue):
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
        "-m",
        "django",
        "rqworker",
        "--with-scheduler",
        "--worker-class",
        request.param,
        missing_header=missing(request.param),
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

    def test_a_job_whose_process_was_killed_is_run_again_with_the_same_pins(self, queue: RQ, tmp_path: Path) -> None:
        if queue.worker.command[-1] == "rq.SimpleWorker":
            pytest.skip("This worker dies with its job.")
        steps = [report(tmp_path / "runs"), ["die once", str(tmp_path / "died")]]
        queue.queue.enqueue(queue.perform, steps, retry=rq.Retry(max=1))
        expect(queue, tmp_path / "runs", [False, False])
        (tmp_path / "died").unlink()
        with pindb.pinning_context():
            pindb.pin("default")
            queue.queue.enqueue(queue.perform, steps, retry=rq.Retry(max=1))
        expect(queue, tmp_path / "runs", [False, False, True, True])

    def test_a_callback_of_a_job_that_did_not_end_in_this_process_reads_masters(
        self, queue: RQ, tmp_path: Path
    ) -> None:
        from tests.integration.contrib import rq_jobs

        meta = {"report": str(tmp_path / "callback")}
        job = queue.queue.create_job(queue.perform, ([],), meta=meta, on_failure=rq.Callback(rq_jobs.on_failure))
        job.failure_callback(job, None)
        assert not pindb.is_pinned("default")
        expect(queue, tmp_path / "callback", [True])

    def test_a_job_leaves_its_worker_where_it_was(self, queue: RQ) -> None:
        other = Queue("other", connection=queue.queue.connection)
        other.enqueue(queue.perform, [PIN])
        rq.SimpleWorker([other], connection=other.connection, queue_class=Queue, job_class=Job).work(burst=True)
        assert not pindb.is_pinned("default")

    def test_a_worker_whose_jobs_open_no_units_of_work_says_so(
        self, queue: RQ, caplog: pytest.LogCaptureFixture
    ) -> None:
        other = Queue("other", connection=queue.queue.connection)
        warned.clear()
        other.enqueue(queue.perform, [])
        rq.SimpleWorker([other], connection=other.connection, queue_class=Queue).work(burst=True)
        assert "--job-class pindb.contrib.rq.Job" in caplog.text

    @pytest.mark.parametrize("policy", ["warn", "error"])
    def test_a_job_that_is_enqueued_in_a_transaction_that_has_written_is_reported(
        self, queue: RQ, caplog: pytest.LogCaptureFixture, policy: str
    ) -> None:
        from tests.shop.models import Customer

        other = Queue("other", connection=queue.queue.connection)
        guard.warned.clear()
        with pindb.pinning_context(), override_settings(PINDB_PUBLISH_IN_ATOMIC=policy), transaction.atomic():
            Customer.objects.create(name="rolled back")
            with pytest.raises(PinDbException) if policy == "error" else contextlib.nullcontext():
                other.enqueue(queue.perform, [])
            transaction.set_rollback(True)
        assert (policy == "warn") == ("test_rq.py" in caplog.text)
        other.empty()

    def test_a_job_that_is_requeued_in_a_transaction_that_has_written_is_reported(self, queue: RQ) -> None:
        from tests.shop.models import Customer

        other = Queue("other", connection=queue.queue.connection)
        job = other.enqueue(queue.perform, [FAIL])
        rq.SimpleWorker([other], connection=other.connection, queue_class=Queue, job_class=Job).work(burst=True)
        with pindb.pinning_context(), override_settings(PINDB_PUBLISH_IN_ATOMIC="error"), transaction.atomic():
            Customer.objects.create(name="rolled back")
            with pytest.raises(PinDbException, match="test_rq.py"):
                job.requeue()
            transaction.set_rollback(True)

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
