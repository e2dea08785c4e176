"""`@pinned`: below and above `@app.task` and `@shared_task`, on tasks that a worker runs and that are called."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery, current_app, shared_task

import pindb
from pindb import PinDbConfigError
from pindb_celery import pinned
from tests.unit.pindb_celery.apps import celery_app, taken, where, working

PINNED = {"pinned": ["default"], "new": ["default"]}


def below(app: Celery) -> Any:
    @app.task(name=f"{app.main}.decorated")
    @pinned("default")
    def task() -> Any:
        return where()

    return task


def above(app: Celery) -> Any:
    @pinned("default")
    @app.task(name=f"{app.main}.decorated")
    def task() -> Any:
        return where()

    return task


def above_bound(app: Celery) -> Any:
    @pinned("default")
    @app.task(name=f"{app.main}.decorated", bind=True, autoretry_for=(ZeroDivisionError,))
    def task(self: Any) -> Any:
        assert self.name == f"{app.main}.decorated"
        return where()

    return task


def above_finalized(app: Celery) -> Any:
    app.finalize()
    return above(app)


def shared_below(app: Celery) -> Any:
    @shared_task(name=f"{app.main}.decorated")
    @pinned("default")
    def task() -> Any:
        return where()

    return task


def shared_above(app: Celery) -> Any:
    @pinned("default")
    @shared_task(name=f"{app.main}.decorated")
    def task() -> Any:
        return where()

    return task


def shared_above_finalized(app: Celery) -> Any:
    app.finalize()
    return shared_above(app)


def an_instance(app: Celery) -> Any:
    @app.task(name=f"{app.main}.decorated")
    def task() -> Any:
        return where()

    app.finalize()
    return pinned("default")(app.tasks[f"{app.main}.decorated"])


WAYS = [below, above, above_bound, above_finalized, shared_below, shared_above, shared_above_finalized, an_instance]


@pytest.mark.parametrize("decorate", WAYS)
def test_it_pins_then_runs(decorate: Any) -> None:
    with celery_app() as app:
        task = decorate(app)
        assert task() == PINNED
        with pindb.pinning_context():
            assert task.apply().get() == PINNED
            assert pindb.get_newly_pinned() == {"default"}
            assert task.name == f"{app.main}.decorated"


@pytest.mark.parametrize("decorate", [above_bound, shared_above])
def test_it_pins_then_runs_in_a_worker(decorate: Any) -> None:
    with celery_app() as app:
        task = decorate(app)
        with working(app):
            assert taken(task.delay()) == PINNED
            assert taken(app.tasks["where"].delay())["pinned"] == []


def test_a_shared_task_is_pinned_in_every_app() -> None:
    with celery_app() as first, celery_app() as second:
        name = shared_above(second).name
        for app in (first, second):
            with pindb.pinning_context():
                assert app.tasks[name].apply().get() == PINNED


def test_wrapping_a_shared_task_in_another_app_leaves_the_current_app_as_it_is() -> None:
    with celery_app() as first, celery_app() as second:
        shared_above(second)
        first.finalize()
        assert current_app._get_current_object() is second


@pytest.mark.parametrize("decorate", [above, shared_above])
def test_decorating_makes_no_task_before_its_time(decorate: Any) -> None:
    with celery_app() as app:
        decorate(app)
        assert not app.finalized
        assert f"{app.main}.decorated" not in app._tasks


def test_a_misspelt_alias_is_an_error_when_decorating() -> None:
    with pytest.raises(PinDbConfigError, match="Did you mean 'default'"):
        pinned("defalut")
