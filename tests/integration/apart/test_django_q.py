"""django-q2's queue, schedules and results are read and written on the master, and pin nothing."""

from __future__ import annotations

import pytest

from tests.integration.apart.place import handed_on, places, reads_replica, statements

pytestmark = pytest.mark.usefixtures("place")


def test_who_enqueues_reads_replicas_and_the_queue_is_read_on_the_master() -> None:
    from django_q.brokers import get_broker
    from django_q.scheduler import scheduler
    from django_q.tasks import async_task, schedule

    broker = get_broker()
    with statements() as seen:
        async_task("math.factorial", 5)
        schedule("math.factorial", 5)
        scheduler(broker)  # locks what is due, and enqueues it
        messages = [broker.dequeue()[0] for _ in range(2)]
        for key, _ in messages:
            broker.acknowledge(key)
    assert places(seen, "django_q_ormq") == places(seen, "django_q_schedule") == {"default"}
    assert handed_on() == set()
    assert reads_replica()


def test_a_result_that_django_q_stores_is_found_at_once() -> None:
    from django_q.tasks import async_task, result

    task = async_task("math.factorial", 5, sync=True)
    assert result(task) == 120
    assert handed_on() == set()
    assert reads_replica()
