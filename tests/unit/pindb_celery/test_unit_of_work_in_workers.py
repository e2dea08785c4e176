"""Tasks run by a worker: the header out, the header in, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, signals
from django.test import override_settings

import pindb
from pindb import propagation
from pindb.core import codec
from tests.carriers import NOTHING_PINNED, carrying
from tests.unit.pindb_celery.apps import celery_app, taken, where, working


@pytest.fixture(scope="module")
def app() -> Iterator[Celery]:
    """One app for the module, with a worker at work."""
    with celery_app() as made:

        @made.task(name="pin_and_fail")
        def pin_and_fail() -> None:
            pindb.pin("default")
            pindb.master("audit").__enter__()
            raise ZeroDivisionError

        @made.task(name="pin_and_publish")
        def pin_and_publish() -> None:
            pindb.pin("audit")
            made.tasks["where"].delay()

        with working(made):
            yield made


@pytest.fixture
def published() -> Iterator[list[Any]]:
    """The pins of the messages published, as they go out."""
    seen: list[Any] = []

    def published(headers: Any, **_: Any) -> None:
        seen.append(json.loads(json.dumps(headers.get(propagation.KEY))))

    with connected(signals.after_task_publish, published):
        yield seen


@contextlib.contextmanager
def connected(signal: Any, receiver: Any) -> Iterator[None]:
    """Connect strongly, for once a weak receiver has died, Celery 5.5 replaces the signal's list of receivers.

    An app that has published before goes on with the old list.
    """
    signal.connect(receiver, weak=False)
    try:
        yield
    finally:
        signal.disconnect(receiver)


def run(task: str, app: Celery, **options: Any) -> Any:
    return taken(app.send_task(task, **options))


def get(app: Celery, **options: Any) -> Any:
    return taken(app.tasks["where"].apply_async(**options))


def test_a_tracers_header_that_is_called_headers_hides_no_pins() -> None:
    """Sentry's and Datadog's tracers send one; Celery then has it for all headers of the request."""
    headers = {"headers": {"trace": "1"}}
    with celery_app() as app:

        @app.task(bind=True, max_retries=1)
        def retried(self: Any) -> Any:
            if self.request.retries:
                return where()
            pindb.pin("audit")
            raise self.retry(countdown=0, headers=headers)

        with working(app):
            pindb.pin("default")
            assert get(app, headers=headers)["pinned"] == ["default"]
            assert taken(retried.apply_async(headers=headers))["pinned"] == ["audit", "default"]


@pytest.mark.parametrize("protocol", [1, 2])
def test_the_callers_pins_arrive_as_carried_pins(protocol: int) -> None:
    with celery_app(task_protocol=protocol) as app, working(app):
        assert get(app) == {"pinned": [], "new": []}
        pindb.pin("default")
        assert get(app) == {"pinned": ["default"], "new": []}
        assert run("where", app) == {"pinned": ["default"], "new": []}
        pindb.pin("audit")
        assert get(app, countdown=0.01)["pinned"] == ["audit", "default"]
        with pindb.pinning_context():
            assert get(app) == {"pinned": [], "new": []}


def test_what_a_task_pins_does_not_leak_into_the_next_one(app: Celery) -> None:
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            run("pin_and_fail", app)
        assert get(app) == {"pinned": [], "new": []}


def test_a_task_hands_on_what_it_was_given_and_what_it_wrote(app: Celery, published: list[Any]) -> None:
    pindb.pin("default")
    run("pin_and_publish", app)
    first, second = (codec.decode(value, time.time()) for value in published)
    assert set(first) == {"default"}
    assert set(second) == {"default", "audit"}
    assert second["default"] == first["default"], "a carried pin keeps its own time"


def test_a_header_given_by_hand_is_joined(app: Celery, published: list[Any]) -> None:
    pindb.pin("default")
    mine = {propagation.KEY: carrying(audit=5), "x-other": "kept"}
    before = dict(mine)
    assert get(app, headers=mine)["pinned"] == ["audit", "default"]
    assert mine == before, "the caller's dict is not edited"


def test_a_publisher_with_nothing_pinned_says_so(app: Celery, published: list[Any]) -> None:
    get(app)
    assert published == [NOTHING_PINNED]


def test_a_message_without_a_header_is_told_from_one_with_nothing_pinned(app: Celery) -> None:
    def forget(headers: Any, **_: Any) -> None:
        del headers[propagation.KEY]

    with override_settings(PINDB_MISSING_HEADER="master"):
        assert get(app)["pinned"] == []
        with connected(signals.before_task_publish, forget):
            assert get(app)["pinned"] == ["audit", "default"]


@pytest.mark.parametrize("garbage", ["x", 5, [1], {"v": 9}, "9;default=5", "1;default=x", "1;=1", ""])
def test_garbage_in_the_header_means_masters(app: Celery, garbage: Any) -> None:
    assert get(app, headers={propagation.KEY: garbage})["pinned"] == ["audit", "default"]
    assert get(app) == {"pinned": [], "new": []}


@override_settings(PINDB_ENABLED=False)
def test_disabled_no_header_is_written(app: Celery, published: list[Any]) -> None:
    pindb.pin("default")
    assert get(app) == {"pinned": [], "new": []}
    assert published == [None]


def test_a_hook_that_fails_fails_no_publish_and_its_task_reads_masters(
    app: Celery, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(codec, "encode", broken)
    monkeypatch.setattr(codec, "decode", broken)
    assert get(app)["pinned"] == ["audit", "default"]
    assert "could not hand on" in caplog.text
    assert "could not open" in caplog.text
