"""A batch of celery-batches has the joined pins of its messages; the package's own tracer runs it here."""

from __future__ import annotations

import time
from typing import Any

import pytest
from celery import Celery
from celery_batches import Batches, SimpleRequest
from celery_batches.trace import apply_batches_task
from django.test import override_settings

import pindb
from pindb import propagation
from tests.carriers import NOTHING_PINNED, carrying, pins_of
from tests.unit.pindb_celery.apps import celery_app, where
from tests.unit.pindb_celery.test_unit_of_work import published_by

BOTH = ["audit", "default"]


def batch_of(app: Celery, body: Any = where) -> Any:
    @app.task(base=Batches, name="batch")
    def batch(requests: list[SimpleRequest]) -> Any:
        return body()

    return app.tasks["batch"]


def message(headers: Any) -> SimpleRequest:
    return SimpleRequest("1", "batch", (), {}, {}, "here", False, None, None, headers)


def run(task: Any, *headers: Any) -> Any:
    """Run a batch of messages with these headers as a worker does."""
    return apply_batches_task(task, ([message(each) for each in headers],), 0, None)


def carried(**seconds: float) -> dict[str, Any]:
    return {propagation.KEY: carrying(**seconds) if seconds else NOTHING_PINNED}


@pytest.mark.parametrize("turn", [1, -1])
def test_a_batch_has_the_joined_pins_of_its_messages(app: Celery, turn: int) -> None:
    messages = [carried(default=5), carried(), carried(audit=5)][::turn]
    assert run(batch_of(app), *messages) == {"pinned": BOTH, "new": []}


def test_a_batch_of_messages_that_carry_nothing_reads_replicas(app: Celery) -> None:
    assert run(batch_of(app), carried(), carried()) == {"pinned": [], "new": []}


def test_one_message_that_cannot_be_read_means_masters(app: Celery) -> None:
    task = batch_of(app)
    assert run(task, carried(), {propagation.KEY: "garbage"})["pinned"] == BOTH
    assert run(task, {propagation.KEY: None}, carried())["pinned"] == BOTH


def test_messages_without_the_header_are_as_the_setting_says(app: Celery) -> None:
    task = batch_of(app)
    assert run(task, {}, carried(audit=5))["pinned"] == ["audit"]
    with override_settings(PINDB_MISSING_HEADER="master"):
        assert run(task, carried(), {})["pinned"] == BOTH
        assert run(task, carried(), carried())["pinned"] == []


def test_a_batch_hands_on_the_pins_with_their_own_time_and_what_it_writes(app: Celery) -> None:
    seen: list[Any] = []

    def writes_and_publishes() -> None:
        pindb.pin("audit")
        seen.append(pins_of(propagation.outgoing()))
        app.tasks["where"].delay()

    task = batch_of(app, writes_and_publishes)
    assert published_by(lambda: run(task, carried(default=5), carried(default=3))) == set(BOTH)
    assert 4 < seen[0]["default"].until - time.time() < 5.01


def test_no_batch_sees_the_pins_of_another_one(app: Celery) -> None:
    task = batch_of(app)
    pindb.pin("audit")
    assert run(task, carried(default=5))["pinned"] == ["default"]
    assert run(task, carried())["pinned"] == []
    assert pindb.get_pinned() == {"audit"}


def test_a_batch_that_runs_eagerly_has_its_callers_pins_and_hands_its_own_back(app: Celery) -> None:
    pindb.pin("default")
    assert batch_of(app).apply((1,)).get()["pinned"] == ["default"]


def test_a_batch_of_an_app_that_is_not_installed_gets_no_unit_of_work(app: Celery) -> None:
    with celery_app(installed=False) as other:
        assert run(batch_of(other), carried(default=5))["pinned"] == []
