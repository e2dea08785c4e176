"""A worker's main process fails a task that no child runs: the worker of these tests is a thread of this process."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import celery
import pytest
from celery import Celery, chord, signals
from celery.app.task import Context
from celery.exceptions import NotRegistered
from celery.worker.state import revoked

import pindb
from tests.unit.pindb_celery.apps import celery_app, taken, working
from tests.unit.pindb_celery.test_unit_of_work_in_workers import connected

BOTH = ["audit", "default"]
NEVER = datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))
"""In UTC it is no `datetime` any more."""


@pytest.fixture
def errbacks(app: Celery) -> list[list[str]]:
    """What is pinned in each errback."""
    seen: list[list[str]] = []

    @app.task(name="errback")
    def errback(task_id: str) -> None:
        seen.append(sorted(pindb.get_pinned()))

    return seen


@pytest.fixture
def received() -> Iterator[list[set[str]]]:
    """What is pinned in the main process as each message comes in."""
    seen: list[set[str]] = []
    with connected(signals.task_received, lambda **_: seen.append(set(pindb.get_pinned()))):
        yield seen


def test_a_revoked_member_of_a_chord_leaves_no_pins_in_the_main_process(
    app: Celery, errbacks: list[list[str]], received: list[set[str]]
) -> None:
    where = app.tasks["where"]
    body = where.s().on_error(app.tasks["errback"].s())
    member = where.si().set(task_id=f"{app.main}-revoked")
    revoked.add(member.id)
    chord([member])(body)
    with working(app):
        assert taken(where.delay())["pinned"] == []
        assert taken(where.delay())["pinned"] == []
    assert errbacks == [BOTH]
    assert received
    assert not any(received)


@pytest.mark.skipif(celery.VERSION < (5, 7), reason="Celery before 5.7 calls no errback then")
def test_the_errback_of_a_task_whose_eta_nobody_can_convert_reads_masters(
    app: Celery, errbacks: list[list[str]], received: list[set[str]]
) -> None:
    where = app.tasks["where"]
    pindb.pin("default")
    where.apply_async(eta=NEVER, link_error=app.tasks["errback"].s())
    with working(app):
        taken(where.delay())
        taken(where.delay())
    assert errbacks == [BOTH]
    assert not any(received)


def test_a_message_of_a_task_that_is_not_registered_fails_and_the_worker_goes_on(
    app: Celery, received: list[set[str]]
) -> None:
    pindb.pin("default")
    unknown = app.send_task("nobody.knows")
    with working(app):
        with pytest.raises(NotRegistered):
            taken(unknown)
        assert taken(app.tasks["where"].delay())["pinned"] == ["default"]
    assert received == [set()]


@pytest.mark.skipif(celery.VERSION < (5, 7), reason="Celery before 5.7 stores no failure then")
@pytest.mark.parametrize("headers", [["of", "another", "language"], "text", 1])
def test_a_message_with_odd_headers_whose_eta_nobody_can_convert_fails_and_the_worker_goes_on(
    app: Celery, monkeypatch: pytest.MonkeyPatch, headers: object
) -> None:
    """Its publisher has no pindb, and sends a header with the name "headers"."""
    where = app.tasks["where"]
    with monkeypatch.context() as publisher:
        publisher.setattr("pindb_celery.publishing.installed", set())
        odd = where.apply_async(eta=NEVER, headers={"headers": headers})
    with working(app):
        with pytest.raises(OverflowError):
            taken(odd)
        assert taken(where.delay())["pinned"] == []


def test_a_failure_that_an_app_without_pindb_stores_is_left_alone(app: Celery) -> None:
    seen: list[set[str]] = []
    with (
        celery_app(installed=False) as other,
        connected(signals.after_task_publish, lambda **_: seen.append(set(pindb.get_pinned()))),
    ):
        request = Context(id="one", delivery_info={}, errbacks=[other.tasks["where"].si()])
        other.backend.mark_as_failure("one", ZeroDivisionError(), request=request)
    assert seen == [set()]
