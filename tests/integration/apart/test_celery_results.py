"""django-celery-results stores what becomes of a task, which pins nothing, and its reader finds it at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, chord

import pindb_celery
from tests.integration.apart.place import ROOT, Place, handed_on, places, reads_replica, statements
from tests.servers import Kept, Valkey, wait_until

WORKER = "tests.integration.apart.worker"
ARGUMENTS = ("--pool=solo", "--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel=INFO")


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with Valkey() as started:
        yield started


@pytest.fixture
def app(place: Place, valkey: Valkey) -> Iterator[Celery]:
    """What publishes to the worker."""
    valkey.flush()
    publisher = Celery("publisher", broker=valkey.url(), backend="django-db", set_as_current=False)
    pindb_celery.install(publisher)
    yield publisher
    pindb_celery.uninstall(publisher)
    publisher.close()


@pytest.fixture
def worker(place: Place, router: str, valkey: Valkey) -> Iterator[Kept]:
    """A worker with the site's settings: it also stores that a task has started."""
    environment = place.environment(router, SHOP_BROKER_URL=valkey.url())
    command = [sys.executable, "-m", "celery", "-A", WORKER, "worker", *ARGUMENTS]
    with Kept(command, env=environment, cwd=ROOT) as process:
        process.wait_for_log(" ready.", 60)
        yield process


def test_a_task_that_only_reads_reads_its_replica_although_its_start_and_its_result_are_stored(
    app: Celery, worker: Kept
) -> None:
    from django_celery_results.models import TaskResult

    for _ in range(2):  # a worker that fails to store the first result gets no second task
        task = app.send_task(f"{WORKER}.count").id
        stored = TaskResult.objects.using("default").filter(task_id=task, status="SUCCESS")
        wait_until(stored.exists, 20, worker.log_text)
        assert stored.get().result == '{"default-1": 1}'
        assert stored.get().date_started is not None
    assert worker.returncode is None


def test_who_asks_for_the_result_of_a_chord_finds_it_on_the_master_and_reads_replicas(
    app: Celery, worker: Kept
) -> None:
    """The worker counts the tasks of a chord in a table, where it locks a row."""
    count, both = (app.signature(f"{WORKER}.{name}", app=app) for name in ("count", "both"))
    with statements() as seen:
        assert chord([count, count], app=app)(both).get(timeout=20) == [{"default-1": 1}] * 2
    assert places(seen, "django_celery_results_taskresult") == {"default"}
    assert handed_on() == set()
    assert reads_replica()


def test_a_group_is_saved_found_and_forgotten_on_the_master(app: Celery) -> None:
    from celery.result import AsyncResult, GroupResult

    group = GroupResult("group", [AsyncResult("one", app=app)], app=app)
    with statements() as seen:
        group.save()
        restored: Any = GroupResult.restore("group", app=app)
        assert [child.id for child in restored] == ["one"]
        app.backend.cleanup()
        group.delete()
    assert places(seen, "django_celery_results_groupresult") == {"default"}
    assert handed_on() == set()
    assert reads_replica()
