"""What is patched in Celery: wrapped once, put back, and without effect on apps that are not installed."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery, signals
from celery.backends.base import Backend
from celery.backends.redis import RedisBackend
from celery.beat import ScheduleEntry, Scheduler

import pindb
import pindb_celery
from pindb import propagation
from pindb.adapters import Patch
from pindb_celery.install import PATCHES
from tests.unit.pindb_celery.apps import celery_app
from tests.unit.pindb_celery.test_unit_of_work_in_workers import connected


class Base:
    def inherited(self) -> str:
        """Say what it is."""
        return "original"


class Owner(Base):
    def own(self) -> str:
        return "original"


def decorator(original: Any) -> Any:
    def method(*args: Any) -> str:
        return f"wrapped {original(*args)}"

    return method


@pytest.mark.parametrize("name", ["own", "inherited"])
def test_a_patch_wraps_once_and_is_undone_without_a_trace(name: str) -> None:
    before = dict(vars(Owner))
    patch = Patch(Owner, name, decorator)
    patch.undo()
    patch.apply()
    patch.apply()
    assert getattr(Owner(), name)() == "wrapped original"
    assert getattr(Owner, name).__doc__ == getattr(Base, name, Owner.own).__doc__
    patch.undo()
    patch.undo()
    assert dict(vars(Owner)) == before


def test_a_patch_that_somebody_has_patched_since_stays() -> None:
    patch = Patch(Owner, "own", decorator)
    ours = Owner.own
    try:
        patch.apply()
        theirs = Patch(Owner, "own", decorator)
        theirs.apply()
        patch.undo()
        assert Owner().own() == "wrapped wrapped original"
        patch.apply()
        assert Owner().own() == "wrapped wrapped original"
    finally:
        Owner.own = ours  # type: ignore[method-assign]


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


@pytest.mark.parametrize(("ours", "pinned"), [(True, {"audit", "default"}), (False, set())])
def test_a_chord_s_part_from_a_worker_without_pindb_means_masters(
    app: Celery, other: Celery, ours: bool, pinned: set[str]
) -> None:
    backend = RedisBackend(app=app if ours else other, url="redis://")
    part = backend.encode([1, "one", "SUCCESS", "returned"])
    assert backend._unpack_chord_result(part, backend.decode) == "returned"
    assert pindb.get_pinned() == pinned
