"""Django's tasks on RQ, by django-tasks-rq."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

import pindb
from pindb.adapters import KEY
from pindb.testing.conformance import Conformance
from pindb.testing.queues import PIN, expect, report
from tests.integration.contrib.lag import ReadYourWrites, RunningQueue
from tests.servers import Kept, Valkey

pytest.importorskip("django.tasks", reason="Django 5.2 has no tasks")


class DjangoTasksRQ(RunningQueue):
    """The task of the RQ backend."""

    name = "django.tasks with django-tasks-rq"
    cannot = {  # noqa: RUF012 - read only
        "result": "A `TaskResult` brings no pins. The job does, by `job.latest_result()`.",
    }
    lacks = frozenset({"retry", "retry_writes", "sequence", "fan_in"})

    def __init__(self, worker: Kept) -> None:
        import django_rq
        from django_tasks_rq import Job

        from tests.integration.contrib.django_tasks import on_rq

        self.worker = worker
        self.perform, self.queue, self.job_class = on_rq, django_rq.get_queue("tasks"), Job

    def send(self, steps: Any) -> Any:
        return self.perform.enqueue(steps)

    def send_delayed(self, steps: Any) -> Any:
        return self.perform.using(run_after=timezone.now() + datetime.timedelta(seconds=1)).enqueue(steps)

    def send_twice(self, steps: Any) -> Any:
        result = self.send(steps)
        self.queue.push_job_id(result.id)
        return result

    def send_carrying(self, steps: Any, pins: str | None) -> Any:
        """Enqueue as the backend does, and change the job before a worker sees it."""
        tomorrow = timezone.now() + datetime.timedelta(days=1)
        result = self.perform.using(run_after=tomorrow).enqueue(steps)
        job = self.job_class.fetch(result.id, connection=self.queue.connection)
        job.meta.pop(KEY)
        if pins is not None:
            job.meta[KEY] = pins
        job.save()
        self.queue.scheduled_job_registry.remove(job.id)
        self.queue.push_job_id(job.id)

    def run_eagerly(self, steps: Any) -> Any:
        import django_rq

        self.queue.connection.ping()
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(django_rq.settings.QUEUES["tasks"], "ASYNC", False)
            return self.send(steps)


@pytest.fixture(scope="module")
def worker(valkey: Valkey, start: Callable[..., Kept]) -> Iterator[Kept]:
    valkey.flush()
    job_class = "pindb.contrib.django_tasks_rq.Job"
    with start(
        "-m", "django", "rqworker", "tasks", "--with-scheduler", "--job-class", job_class, missing_header="replica"
    ) as worker:
        yield worker


class TestDjangoTasksRQ(Conformance, ReadYourWrites):
    @pytest.fixture
    def queue(self, worker: Kept) -> DjangoTasksRQ:
        return DjangoTasksRQ(worker)

    def test_pins_do_not_show_in_results(self, queue: DjangoTasksRQ, tmp_path: Any) -> None:
        with pindb.pinning_context():
            pindb.pin("default")
            result = queue.send([report(tmp_path / "run"), PIN])
        expect(queue, tmp_path / "run", [True])
        assert result.kwargs == queue.perform.get_result(result.id).kwargs == {}
