"""The section of the queues, and what `--send` says without a worker."""

from __future__ import annotations

import sys
from typing import Any

import dramatiq
import dramatiq.broker
import pytest
from celery import Celery
from django.test import override_settings
from dramatiq.brokers.stub import StubBroker
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend

import pindb_celery
import pindb_dramatiq
from pindb.config.database_sets import current_config
from pindb.management.doctor import probes
from tests.unit.management.doctor.running import celery_app, found, run, texts


def test_a_process_without_a_queue_says_so() -> None:
    assert found("queues")[0]["text"] == "This process has loaded no Celery app and no Dramatiq broker."


def test_an_app_without_pindb_beside_one_with_it_is_wrong(apps: list[Celery]) -> None:
    with celery_app("carrying") as carrying, celery_app("bare") as bare:
        pindb_celery.install(carrying)
        apps += [bare, carrying]
        findings = found("queues")
    (wrong,) = texts(findings, "wrong")
    assert wrong.startswith("Messages of the Celery app 'bare' carry no pins")
    assert "pindb_celery.install(app)" in wrong
    assert "Messages of the Celery app 'carrying' carry pins. " in texts(findings, "ok")


def test_an_app_alone_without_pindb_is_told_by_the_check(apps: list[Celery]) -> None:
    with celery_app("bare") as bare:
        apps.append(bare)
        assert [finding["id"] for finding in found("settings")] == ["pindb.W023"]
        assert texts(found("queues"), "wrong") == []


def test_a_broker_that_does_not_answer_or_cannot_be_used_is_wrong(apps: list[Celery]) -> None:
    with celery_app("away", broker="redis://127.0.0.1:1/0") as away, celery_app("odd", broker="no-such://x") as odd:
        apps += [away, odd]
        one, other = texts(found("queues", "--timeout", "3"), "wrong")
    assert one.startswith("The broker of the Celery app 'away' does not answer: ")
    assert other.startswith("The broker of the Celery app 'odd' does not answer: KeyError")


def test_dramatiq_without_the_middleware_is_wrong_and_with_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = StubBroker()
    monkeypatch.setattr(dramatiq.broker, "global_broker", broker)
    assert [finding["id"] for finding in found("settings")] == ["pindb_dramatiq.W001"]
    assert run()[1] == 1
    pindb_dramatiq.install(broker)
    assert {finding["verdict"] for finding in found("settings")} == {"ok"}
    assert "Messages of Dramatiq's StubBroker carry pins. " in texts(found("queues"), "ok")


def sent() -> list[str]:
    return [finding["text"] for finding in found("pins on their way", "--send", "--timeout", "0.5")]


def test_a_queue_that_is_named_and_cannot_be_sent_to_is_wrong() -> None:
    (wrong,) = texts(found("pins on their way", "--send", "mail"), "wrong")
    assert wrong.startswith("Nothing was sent to 'mail': this process has no Celery app with pindb")
    assert "Type --import" in wrong


def test_nothing_is_sent_where_no_answer_could_be_seen(apps: list[Celery], monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent() == ["Nothing was sent: this process has no Celery app with pindb, and no Dramatiq broker."]
    with override_settings(PINDB_ENABLED=False):
        assert "PINDB_ENABLED is False" in sent()[0]
    with celery_app("eager", backend="cache+memory://") as app:
        app.conf.task_always_eager = True
        pindb_celery.install(app)
        apps.append(app)
        assert "task_always_eager" in sent()[0]
        apps.clear()
    broker = StubBroker()
    monkeypatch.setattr(dramatiq.broker, "global_broker", broker)
    assert "without the middleware Results" in sent()[0]
    broker.add_middleware(Results(backend=StubBackend()))
    assert "has loaded no actor, and knows no queue" in sent()[0]


def test_a_worker_that_does_not_answer_is_told(apps: list[Celery]) -> None:
    with celery_app("alone", backend="cache+memory://") as app:
        pindb_celery.install(app)
        apps.append(app)
        assert sent() == ["No worker of the queue 'celery' of the Celery app 'alone' answered."]
    with celery_app("mute", broker="memory://mute") as app:
        pindb_celery.install(app)
        apps[:] = [app]
        assert sent() == ["No worker of the Celery app 'mute' answered."]


def test_a_result_backend_that_does_not_answer_is_not_taken_for_the_broker(apps: list[Celery]) -> None:
    with celery_app("lost", backend="redis://127.0.0.1:1/0") as app:
        app.conf.result_backend_transport_options = {"retry_policy": {"max_retries": 0}}  # no thread tries on
        pindb_celery.install(app)
        apps.append(app)
        (wrong,) = texts(found("pins on their way", "--send", "--timeout", "0.5"), "wrong")
    assert wrong.startswith("The probe tasks of the Celery app 'lost' failed as they were sent or awaited")
    assert "the result backend does not" in wrong


def test_pins_that_a_worker_has_not_got_are_wrong() -> None:
    config = current_config()
    heard = {"pinned": ["audit", "default"], "sets": ["audit", "default"], "enabled": True, "clock": 100.5}

    def judged(**changed: Any) -> list[str]:
        answer = probes.Answer({**heard, **changed}, 100.0, 101.0)
        return [str(finding) for finding in probes._judged("the queue 'q'", answer, config)]

    travelled, clock = judged()
    assert travelled == "A pin has travelled to a worker of the queue 'q', in 1.00 s there and back."
    assert clock.startswith("The clock of a worker of the queue 'q' is 0.000 s (give or take 0.500 s)")
    assert judged(pinned=["audit"])[0].startswith("Pins of default have not travelled to a worker of the queue 'q'.")
    assert judged(sets=["audit"])[0].startswith("A worker of the queue 'q' does not know the DB sets default")
    assert judged(enabled=False, pinned=[])[0].startswith("A worker of the queue 'q' has PINDB_ENABLED = False.")
    assert "Between two machines so far apart" in judged(clock=160.5)[1]


def test_queue_tables_on_the_master_are_fine_and_on_replicas_are_not() -> None:
    assert "The tables of queues are read on the master: django_celery_results. " in texts(found("queues"), "ok")
    with override_settings(PINDB_MASTER_ONLY=["axes"]):
        (wrong,) = texts(found("queues"), "wrong")
    assert wrong.startswith("django_celery_results.TaskResult and 2 more models of the queue 'django_celery_results'")
    assert 'add "django_celery_results" to it' in wrong
    with override_settings(PINDB_MASTER_ONLY=["axes"], DATABASE_SETS={"default": [], "audit": []}):
        assert texts(found("queues"), "wrong") == [], "no replica, no read on it"


def test_the_doctor_loads_no_queue() -> None:
    """It is imported where neither Celery nor Dramatiq is installed."""
    assert not {"celery", "dramatiq"} & set(vars(sys.modules["pindb.management.doctor.probes"]))
