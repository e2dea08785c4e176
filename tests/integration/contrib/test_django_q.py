"""django-q2 with its ORM broker and its cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

import pindb
from pindb.adapters import KEY
from pindb.testing.conformance import Conformance
from tests.integration.contrib.lag import ReadYourWrites, RunningQueue, expect_pinned_in_an_hour
from tests.servers import Kept


class Twice:
    """A broker that enqueues each message twice."""

    def __init__(self, broker: Any) -> None:
        self.broker, self.list_key = broker, broker.list_key

    def enqueue(self, message: str) -> Any:
        self.broker.enqueue(message)
        return self.broker.enqueue(message)


class DjangoQ(RunningQueue):
    """The cluster of the site's settings."""

    name = "django-q2"
    missing_header = "master"
    cannot = {  # noqa: RUF012 - read only
        "delayed": "A schedule stores a function and its arguments alone.",
        "retry_writes": "The broker delivers the first message again.",
        "result": "A result is read from its row, and brings no pins.",
    }
    lacks = frozenset({"fan_in"})

    def __init__(self, worker: Kept) -> None:
        from tests.integration.contrib.django_q_tasks import PERFORM

        self.worker = worker
        self.perform = PERFORM

    def send(self, steps: Any, **options: Any) -> Any:
        from django_q.tasks import async_task

        return async_task(self.perform, steps, **options)

    send_retried = send

    def send_twice(self, steps: Any) -> Any:
        from django_q.brokers import get_broker

        return self.send(steps, broker=Twice(get_broker()))

    def send_carrying(self, steps: Any, pins: str | None) -> Any:
        from django_q.signals import pre_enqueue

        def replace(task: dict[str, Any], **_: Any) -> None:
            del task[KEY]
            if pins is not None:
                task[KEY] = pins

        pre_enqueue.connect(replace)
        try:
            return self.send(steps)
        finally:
            pre_enqueue.disconnect(replace)

    def run_eagerly(self, steps: Any) -> Any:
        return self.send(steps, sync=True)

    def send_sequence(self, *tasks: Any) -> Any:
        from django_q.tasks import async_chain

        return async_chain([(self.perform, (steps,)) for steps in tasks])


@pytest.fixture(scope="module")
def worker(start: Callable[..., Kept]) -> Iterator[Kept]:
    with start("-m", "django", "qcluster", missing_header="master") as worker:
        yield worker


class TestDjangoQ(Conformance, ReadYourWrites):
    @pytest.fixture
    def queue(self, worker: Kept) -> Iterator[DjangoQ]:
        yield DjangoQ(worker)
        from django_q.models import OrmQ

        with contextlib.suppress(OrmQ.DoesNotExist):
            OrmQ.objects.using("default").all().delete()  # failed tasks would be delivered again and again

    def test_a_task_that_is_enqueued_in_a_long_transaction_starts_with_its_pins(
        self, queue: DjangoQ, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from django_q.models import OrmQ

        with pindb.pinning_context(), transaction.atomic():
            pindb.pin("default")
            queue.send([])
            stored = OrmQ.objects.using("default").latest("pk").task[KEY]
        expect_pinned_in_an_hour(stored, monkeypatch)


class Listing:
    """A broker that keeps its messages in a list, outside of the database."""

    list_key = "scheduled"

    def __init__(self) -> None:
        self.messages: list[str] = []

    def enqueue(self, message: str) -> None:
        self.messages.append(message)


@override_settings(PINDB_PUBLISH_IN_ATOMIC="error")
def test_the_publish_guard_leaves_schedules_alone(worker: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Django-q saves all that are due in one transaction: a refused one would have the others run again and again."""
    from django_q.conf import Conf
    from django_q.models import Schedule
    from django_q.scheduler import scheduler

    broker = Listing()
    monkeypatch.setattr(Conf, "ORM", None)
    monkeypatch.setattr(Conf, "CLUSTER_NAME", broker.list_key)
    with pindb.pinning_context():
        for _ in range(2):
            Schedule.objects.create(func="math.sqrt", cluster=broker.list_key, next_run=timezone.now())
        scheduler(broker)
        with pindb.master("default"):
            assert not Schedule.objects.filter(cluster=broker.list_key)
    assert len(broker.messages) == 2
