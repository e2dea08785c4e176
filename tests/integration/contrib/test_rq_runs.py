"""RQ where something has gone wrong: jobs that run again, that are enqueued again, that time limits hit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import redis
import rq
from django.conf import settings
from rq.job import JobStatus
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException

import pindb
from pindb.contrib.rq import Job, Queue
from tests.servers import Valkey


def everything() -> set[str]:
    """Return the names of all DB sets: other tests of this package have fewer."""
    return set(settings.DATABASE_SETS)


seen: Final[list[Any]] = []
"""What the jobs here tell their test: they run in its process."""


@pytest.fixture
def queue(valkey: Valkey) -> Iterator[Queue]:
    with redis.Redis.from_url(valkey.url(5)) as connection:
        connection.flushdb()
        seen.clear()
        yield Queue("runs", connection=connection)


def work(queue: Queue) -> None:
    rq.SimpleWorker([queue], connection=queue.connection, job_class=Job).work(burst=True)


def look() -> None:
    seen.append(pindb.get_pinned())


def taken(take: Callable[[], object]) -> frozenset[str]:
    """Return what is pinned where the result of a job was taken."""
    with pindb.pinning_context():
        take()
        return pindb.get_pinned()


def look_at_the_last_result_then_fail() -> None:
    job: Any = rq.get_current_job()
    seen.append(taken(job.latest_result))
    raise ZeroDivisionError


def test_nobody_takes_what_an_earlier_run_wrote_for_what_this_run_writes(queue: Queue) -> None:
    job = queue.enqueue(look_at_the_last_result_then_fail)
    work(queue)
    assert taken(job.latest_result) == set()
    job.requeue()
    work(queue)
    assert seen == [set(), everything()]  # if this run were killed here, nobody would know what it has written
    assert taken(job.latest_result) == set()


def fail() -> None:
    raise ZeroDivisionError


def test_a_job_that_is_requeued_has_the_pins_of_who_requeues_it(queue: Queue) -> None:
    job = queue.enqueue(fail)
    work(queue)
    job.data = Job.create(look, connection=queue.connection).data  # it is mended
    with pindb.pinning_context():
        pindb.pin("default")
        job.requeue()
    work(queue)
    assert seen == [{"default"}]


def test_a_job_that_was_fetched_without_its_serializer_is_enqueued_again(queue: Queue) -> None:
    other = Queue("other", connection=queue.connection, serializer=JSONSerializer)
    job = other.enqueue("tests.integration.contrib.test_rq_runs.look")
    queue.enqueue_job(Job.fetch(job.id, connection=queue.connection))
    assert queue.job_ids == [job.id]


def hit_by_a_time_limit(*_: object) -> None:
    raise JobTimeoutException


def test_a_job_whose_time_is_up_before_it_begins_does_not_run(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pindb.contrib.rq.open_message", hit_by_a_time_limit)
    job = queue.enqueue(look)
    work(queue)
    assert seen == []
    assert job.get_status() == JobStatus.FAILED


def test_a_job_whose_time_is_up_as_it_runs_another_one_ends(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pindb.contrib.rq.open_eager", hit_by_a_time_limit)
    with pytest.raises(JobTimeoutException):
        Queue("eager", connection=queue.connection, is_async=False).enqueue(look)
    assert seen == []


def test_a_result_is_there_although_redis_does_not_tell_what_its_job_wrote(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise redis.ConnectionError

    job = queue.enqueue(look)
    work(queue)
    monkeypatch.setattr(queue.connection, "hget", fail)
    assert taken(job.latest_result) == everything()
    assert f"could not tell what job {job.id} has written" in caplog.text
