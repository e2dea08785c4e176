"""The patches of Celery are undone with the last app, and have no effect on apps that pindb is not installed in."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery, signals
from celery.backends.base import Backend
from celery.beat import ScheduleEntry, Scheduler

import pindb
import pindb_celery
from pindb import propagation
from pindb_celery.install import PATCHES
from tests.unit.pindb_celery.apps import celery_app
from tests.unit.pindb_celery.test_unit_of_work_in_workers import connected


def test_uninstalling_the_last_app_puts_back_what_was_there_and_no_other_does() -> None:
    def state() -> list[Any]:
        return [vars(patch.owner).get(patch.name) for patch in PATCHES]

    before = state()
    with celery_app() as first:
        installed = state()
        assert all(now is not then for now, then in zip(installed, before, strict=True))
        with celery_app() as second:
            pindb_celery.uninstall(second)
            assert state() == installed
        pindb_celery.uninstall(first)
        assert state() == before


@pytest.fixture
def other(app: Celery) -> Any:
    """An app that is not installed, beside one that is."""
    with celery_app(installed=False) as made:
        yield made


def test_a_result_of_an_app_that_is_not_installed_holds_and_gives_no_pins(other: Celery) -> None:
    backend: Backend = other.backend
    backend.store_result("one", 1, "SUCCESS")
    assert propagation.KEY not in backend.get_task_meta("one")
    result = other.AsyncResult("one")
    assert result.get(timeout=10) == 1
    assert result.ready()
    assert pindb.get_pinned() == set()


def test_the_beat_of_an_app_that_is_not_installed_is_left_alone(other: Celery) -> None:
    entry = ScheduleEntry(name="every", task="where", schedule=1, app=other)
    seen: list[set[str]] = []
    pindb.pin("default")
    with connected(signals.after_task_publish, lambda **_: seen.append(set(pindb.get_pinned()))):
        Scheduler(app=other, lazy=True).apply_async(entry, advance=False)
    assert seen == [{"default"}]
