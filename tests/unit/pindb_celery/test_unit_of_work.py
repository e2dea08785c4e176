"""A task's unit of work, opened and closed in bad moments; the tests run tasks as a worker's process does."""

from __future__ import annotations

import contextvars
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery, signals
from celery.app.task import Context
from celery.app.trace import build_tracer
from celery.beat import ScheduleEntry, Scheduler
from celery.exceptions import Ignore, SoftTimeLimitExceeded
from django.db import transaction

import pindb
import pindb_celery
from pindb import catching_up, propagation
from pindb.core import codec, frames
from pindb.core.pins import PinSet
from pindb.propagation import messages, work
from pindb_celery import unit_of_work
from pindb_celery.unit_of_work import headers_with
from tests.carriers import NOTHING_PINNED, pins_of
from tests.shop.models import Customer
from tests.unit.pindb_celery.apps import where
from tests.unit.pindb_celery.test_unit_of_work_in_workers import connected

EVERYTHING = ["audit", "default"]


def run(task: Any, *, headers: Any = None, task_id: str | None = None) -> Any:
    """Run a task as a worker does, and return what it returns."""
    tracer: Callable[..., Any] = build_tracer(task.name, task, app=task.app)
    request = {"delivery_info": {}, "headers": {propagation.KEY: headers or NOTHING_PINNED}}
    retval, info, *_ = tracer(task_id or uuid.uuid4().hex, (), {}, request)
    assert info is None or info.state == "SUCCESS", info
    return retval


@pytest.fixture
def probe(app: Celery) -> Any:
    seen: list[Any] = []

    @app.task(name="probe")
    def probe() -> None:
        seen.append(where()["pinned"])

    task = app.tasks["probe"]
    task.seen = seen
    return task


def test_the_attributes_of_a_request_are_json_as_they_are_without_pindb(app: Celery) -> None:
    @app.task(bind=True)
    def logs(task: Any) -> str:
        return json.dumps(vars(task.request))

    assert "pindb" in json.loads(run(logs))["headers"]
    assert not unit_of_work._running


@pytest.mark.parametrize("module", ["messages.current_config", "codec.decode", "frames.pop"])
def test_a_soft_time_limit_in_the_opening_hook_means_masters(
    probe: Any, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """It arrives as an exception at any point of ours; Celery swallows it and runs the body."""
    hit = []

    def limit(*arguments: Any) -> Any:
        if not hit:
            hit.append(True)
            raise SoftTimeLimitExceeded
        return original(*arguments)

    name = module.split(".")[1]
    places = {"current_config": messages, "decode": codec, "pop": messages}
    original = getattr(places[name], name)
    monkeypatch.setattr(places[name], name, limit)
    if name == "pop":
        propagation.open_message(None)  # a leftover, which the opening has to discard
    run(probe)
    assert hit
    assert probe.seen == [EVERYTHING]
    run(probe)
    assert probe.seen[1] == []


def test_a_soft_time_limit_in_the_closing_hook_leaks_nothing_into_the_next_task(
    probe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = codec.encode(PinSet({"default": time.time() + 60}))
    hit = []

    def limit(owner: object) -> None:
        if not hit:
            hit.append(True)
            raise SoftTimeLimitExceeded
        original(owner)

    original = messages.pop
    outside = frames.current_frame()
    monkeypatch.setattr(work, "pop", limit)
    run(probe, headers=pins)
    assert hit
    run(probe)
    assert probe.seen == [["default"], []]
    assert frames.current_frame() is outside


def run_one_that_has_to_wait(app: Celery, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a task that is to be put back; return what it returned, or how it ended instead."""

    @app.task(name="waits")
    @pindb_celery.caught_up("default")
    def waits() -> str:
        return "has run"

    task = app.tasks["waits"]
    monkeypatch.setattr(catching_up.CaughtUp, "requeue_needed", lambda *_: catching_up.Requeue(1.0, time.time()))
    task_id = uuid.uuid4().hex
    request = {"id": task_id, "delivery_info": {"exchange": "", "routing_key": "put-back"}}
    retval, info, *_ = build_tracer(task.name, task, app=app)(task_id, (), {}, request)
    return retval if info is None else info.retval


def test_a_soft_time_limit_that_arrives_while_a_task_is_put_back_ends_it(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arrives(*_: Any, **__: Any) -> Any:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(app, "send_task", arrives)
    assert isinstance(run_one_that_has_to_wait(app, monkeypatch), SoftTimeLimitExceeded)


def test_a_task_that_is_put_back_does_not_run(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(run_one_that_has_to_wait(app, monkeypatch), Ignore)


def test_a_task_whose_message_somebody_keeps_back_runs_now(
    app: Celery, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An app that publishes nothing twice, for example; the task would be lost."""
    monkeypatch.setattr(app, "send_task", lambda *_, **options: app.AsyncResult(options["task_id"]))
    assert run_one_that_has_to_wait(app, monkeypatch) == "has run"
    assert "it runs now, on the master" in caplog.text
    assert "published no message of waits" in caplog.text


def test_a_null_is_nothing_that_pindb_has_written(probe: Any) -> None:
    tracer = build_tracer(probe.name, probe, app=probe.app)
    task_id = uuid.uuid4().hex
    tracer(task_id, (), {}, {"id": task_id, "delivery_info": {}, propagation.KEY: None, "headers": {}})
    assert probe.seen == [EVERYTHING]


def test_two_runs_of_one_task_id_at_once_stay_apart(app: Celery) -> None:
    """As with a retry without countdown: the next attempt may start before the one before it is closed."""
    barrier = threading.Barrier(2)
    seen = {}

    @app.task(name="meet")
    def meet() -> None:
        alias = threading.current_thread().name
        pindb.pin(alias)
        barrier.wait(10)
        seen[alias] = where()["pinned"]
        barrier.wait(10)

    def work() -> None:
        before = frames.frame_var.get()
        run(app.tasks["meet"], task_id="one")
        assert frames.frame_var.get() is before

    threads = [threading.Thread(target=work, name=alias) for alias in EVERYTHING]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"audit": ["audit"], "default": ["default"]}


def test_an_exit_in_another_receiver_before_ours_closes_nothing_that_was_not_opened(app: Celery, probe: Any) -> None:
    def leave(**_: Any) -> None:
        raise SystemExit

    pindb_celery.uninstall(app)
    with connected(signals.task_prerun, leave):
        pindb_celery.install(app)
        outside = frames.current_frame()
        with pytest.raises(SystemExit):
            run(probe)
        assert frames.current_frame() is outside


def test_what_is_pinned_around_a_worker_is_not_seen_in_its_tasks_and_is_back_after_them(probe: Any) -> None:
    pindb.pin("default")
    with pindb.master("audit"):
        run(probe)
    assert probe.seen == [[]]
    assert pindb.get_pinned() == {"default"}


def test_a_thread_that_a_task_leaves_behind_is_safe(app: Celery) -> None:
    """It keeps the pins it had, and what it pins or publishes disturbs no other task."""
    done, go = threading.Event(), threading.Event()
    seen = []

    def straggler() -> None:
        go.wait(10)
        pindb.pin("audit")
        seen.append(where()["pinned"])
        seen.append(set(pins_of(propagation.outgoing())))
        done.set()

    @app.task(name="leaves")
    def leaves() -> None:
        pindb.pin("default")
        threading.Thread(target=contextvars.copy_context().run, args=(straggler,)).start()

    run(app.tasks["leaves"])
    go.set()
    assert done.wait(10)
    assert seen == [EVERYTHING, set(EVERYTHING)]
    assert pindb.get_pinned() == set()


def published_by(publish: Callable[[], object]) -> set[str]:
    """Return the names of the DB sets pinned in the one message that `publish` sends."""
    seen: list[Any] = []

    def look(headers: Any, **_: Any) -> None:
        seen.append(set(pins_of(headers[propagation.KEY])))

    with connected(signals.after_task_publish, look):
        publish()
    (names,) = seen
    return set(names)


def test_beat_publishes_with_nothing_pinned(app: Celery) -> None:
    entry = ScheduleEntry(name="every", task="where", schedule=1, app=app)
    scheduler = Scheduler(app=app, lazy=True)
    pindb.pin("default")  # a scheduler that keeps its entries in the database writes to it
    assert published_by(lambda: scheduler.apply_async(entry, advance=False)) == set()
    assert pindb.get_newly_pinned() == {"default"}


@pytest.mark.usefixtures("shop_tables")
def test_a_publish_at_the_commit_carries_what_was_committed(app: Celery) -> None:
    def work() -> None:
        with transaction.atomic():
            app.tasks["where"].delay_on_commit()
            Customer.objects.create(name="ada")

    assert published_by(work) == {"default"}


def test_a_header_is_found_beside_a_tracers_and_in_a_request_made_by_hand() -> None:
    def header(request: Context) -> Any:
        return headers_with(request, "pindb_since").get("pindb_since")

    assert header(Context({"headers": {"trace": "1"}, "pindb_since": 5.0})) == 5.0
    assert header(Context({"headers": {"pindb_since": 6.0}})) == 6.0
    assert header(Context()) is None
