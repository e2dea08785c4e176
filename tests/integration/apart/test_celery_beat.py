"""django-celery-beat keeps its schedule on the master: it sends what is due, and what an admin edits stays."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from django.utils import timezone

import pindb
from tests.integration.apart.place import Place, handed_on, places, reads_replica, statements

QUEUE = "beat"


@pytest.fixture
def app(place: Place) -> Iterator[Celery]:
    """What beat publishes with, to a queue in this process."""
    publisher = Celery("beat", broker="memory://", set_as_current=False)
    publisher.conf.update(task_default_queue=QUEUE, beat_schedule={"greet": {"task": "greet", "schedule": 0.0}})
    yield publisher
    sent(publisher)
    publisher.close()


@pytest.fixture
def scheduler(app: Celery) -> Iterator[Any]:
    """Beat, as it starts, with a task that is due and another one in its settings."""
    from django_celery_beat.models import PeriodicTask
    from django_celery_beat.schedulers import DatabaseScheduler

    with pindb.pinning_context(), pindb.master("default"):
        long_ago = timezone.now() - datetime.timedelta(days=1)
        PeriodicTask.objects.filter(name="report").update(last_run_at=long_ago, total_run_count=0, args='["old"]')
    with pindb.pinning_context():
        beat = DatabaseScheduler(app=app)
    yield beat
    beat._finalize()


def tick(scheduler: Any) -> None:
    """Send what is due, one task a tick, in a unit of work of its own: as if all pins had lapsed since the last."""
    with pindb.pinning_context():
        scheduler.tick()


def sent(app: Celery) -> list[str]:
    """Return the names of the tasks that were sent."""
    names = []
    with app.connection_for_read() as connection, connection.SimpleQueue(QUEUE) as queue:
        while queue.qsize():
            message = queue.get_nowait()
            names.append(message.headers["task"])
            message.ack()
    return names


def test_beat_sends_what_the_settings_and_what_the_table_schedule(app: Celery, scheduler: Any) -> None:
    for _ in range(4):
        tick(scheduler)
    assert {"greet", "report"} <= set(sent(app))


def test_what_an_admin_edits_while_beat_runs_stays(app: Celery, scheduler: Any) -> None:
    from django_celery_beat.models import PeriodicTask

    for _ in range(4):
        tick(scheduler)
    with pindb.pinning_context(), pindb.master("default"):
        report = PeriodicTask.objects.get(name="report")
        report.args = '["new"]'
        report.save()
    with pindb.pinning_context():
        scheduler.sync()
    with pindb.pinning_context():
        report = PeriodicTask.objects.get(name="report")
    assert report.args == '["new"]'
    assert report.total_run_count > 0, "beat has saved the row"


def test_beat_pins_nothing(app: Celery, scheduler: Any) -> None:
    with statements() as seen:
        for _ in range(4):
            scheduler.tick()
        scheduler.sync()
    assert places(seen, "django_celery_beat_periodictask") == {"default"}
    assert handed_on() == set()
    assert reads_replica()
