"""Threads and coroutines that a task starts: what is its own unit of work, and what is not unless it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

import pindb
from tests.integration.celery.combinations import parameters
from tests.integration.celery.conftest import Surroundings
from tests.unit.pindb_celery.apps import taken

THREADS = parameters(lambda each: str(each) in {"valkey-redis-prefork", "rabbitmq-rpc-threads"})
# There a thread is a greenlet.
GREENLETS = parameters(lambda each: each.pool in {"gevent", "eventlet"})
TASKS = ["writes_somewhere", "publishes_somewhere"]


def pinned(paths: Surroundings, task: str, place: str, key: str) -> list[str]:
    """Return what is pinned in the task that `task` publishes."""
    paths.app.send_task(f"tests.integration.celery.threads.{task}", (place, key))
    (note,) = paths.noted(key)
    return list(note["pinned"])


@pytest.mark.parametrize("paths", THREADS, indirect=True)
@pytest.mark.parametrize("place", ["in_asyncio_task", "in_to_thread", "in_pool_that_is_told"])
@pytest.mark.parametrize("task", TASKS)
def test_a_coroutine_or_a_thread_that_is_told_is_the_task_s_own(
    paths: Surroundings, task: str, place: str, key: str
) -> None:
    assert pinned(paths, task, place, key) == ["audit"]


@pytest.mark.parametrize("paths", THREADS + GREENLETS, indirect=True)
@pytest.mark.parametrize(("place", "expected"), [("in_thread_that_is_told", ["audit"]), ("in_thread", [])])
@pytest.mark.parametrize("task", TASKS)
def test_a_thread_is_the_task_s_own_if_it_is_told(
    paths: Surroundings, task: str, place: str, expected: list[str], key: str
) -> None:
    assert pinned(paths, task, place, key) == expected


@pytest.mark.parametrize("paths", THREADS + GREENLETS, indirect=True)
def test_a_thread_that_outlives_its_task_keeps_its_pins_and_gives_no_other_task_any(
    paths: Surroundings, tmp_path: Path, key: str
) -> None:
    go = tmp_path / "go"
    with pindb.pinning_context():
        pindb.pin("default")
        taken(paths.app.send_task("tests.integration.celery.threads.leaves_a_thread_behind", (str(go), key)))
    go.touch()
    for what in ("wrote", "published"):
        (note,) = paths.noted(f"{what} {key}")
        assert note["pinned"] == ["audit", "default"]
    for _ in range(8):
        assert taken(paths.task("where").delay())["pinned"] == []
