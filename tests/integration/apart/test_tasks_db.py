"""The worker of django-tasks-db, a process of its own, runs under pindb's routers, and enqueueing pins nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.integration.apart.place import ROOT, Place, handed_on, places, reads_replica, statements

pytest.importorskip("django.tasks", reason="Django 5.2 has no tasks")


@pytest.fixture
def count(place: Place) -> Any:
    """The task that reads."""
    from tests.integration.apart.tasks import count

    return count


def test_the_worker_runs_what_was_enqueued_and_the_task_reads_its_replica(
    place: Place, router: str, count: Any
) -> None:
    results = [count.enqueue() for _ in range(2)]
    worker = subprocess.run(
        [sys.executable, "-m", "django", "db_worker", "--batch", "--no-startup-delay"],
        env=place.environment(router),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert worker.returncode == 0, worker.stderr
    for result in results:
        result.refresh()
        assert result.return_value == {"default-1": 1}


def test_who_enqueues_and_asks_for_the_result_reads_replicas(count: Any) -> None:
    with statements() as seen:
        result = count.enqueue()
        assert count.get_result(result.id).status == "READY"
    assert places(seen, "django_tasks_database_dbtaskresult") == {"default"}
    assert handed_on() == set()
    assert reads_replica()
