"""A chord that Celery gives up: nobody knows what its header tasks wrote."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery, signals

import pindb
from pindb import propagation
from tests.carriers import carrying
from tests.unit.pindb_celery.apps import celery_app
from tests.unit.pindb_celery.test_unit_of_work_in_workers import connected

BOTH = {"audit", "default"}


def given_up(app: Celery) -> tuple[set[str], str]:
    """Return what is pinned in the errback of a chord that Celery has given up, and the id of its body."""
    body = app.tasks["where"].si().on_error(app.tasks["where"].si())
    task_id = body.freeze().id
    pinned: list[set[str]] = []

    def published(headers: Any, **_: Any) -> None:
        with propagation.open_message(headers.get("pindb", carrying())):
            pinned.append(set(pindb.get_pinned()))

    with propagation.open_message(carrying()), connected(signals.after_task_publish, published):
        try:
            _ = 1 / 0
        except ZeroDivisionError as error:
            app.backend.chord_error_from_stack(body, error)
    (errback,) = pinned
    return errback, task_id


def test_its_errback_and_whoever_takes_its_result_read_masters(app: Celery) -> None:
    errback, task_id = given_up(app)
    assert errback == BOTH
    with pytest.raises(ZeroDivisionError):
        app.AsyncResult(task_id).get(timeout=20)
    assert pindb.get_newly_pinned() == BOTH


def test_that_of_an_app_that_is_not_installed_is_left_alone(app: Celery) -> None:
    with celery_app(installed=False) as other:
        assert given_up(other)[0] == set()
