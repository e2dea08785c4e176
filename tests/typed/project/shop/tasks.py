"""Tasks of Celery, and actors of Dramatiq, with pindb's decorators."""

from typing import Any, assert_type

import dramatiq
from celery import Celery, Task
from dramatiq.brokers.stub import StubBroker

import pindb_celery
import pindb_dramatiq
from shop.models import Order

app = Celery("shop", broker="memory://")
pindb_celery.install(app)

broker = StubBroker()
pindb_dramatiq.install(broker)
dramatiq.set_broker(broker)


@app.task
def confirm(pk: int) -> None:
    """Confirm an order."""
    Order.objects.filter(pk=pk).update(is_confirmed=True)


@app.task
@pindb_celery.pinned("default")
def charge(pk: int) -> bool:
    """Decide on what the master says."""
    return Order.objects.get(pk=pk).is_confirmed


@pindb_celery.caught_up("default", timeout=30)
@app.task
def receipt(pk: int) -> str:
    """Wait in the queue for a replica."""
    return str(Order.objects.get(pk=pk).total)


@dramatiq.actor
@pindb_dramatiq.caught_up("default", timeout=30)
def remind(pk: int) -> bool:
    """Wait in the queue for a replica."""
    return Order.objects.filter(pk=pk).exists()


@pindb_dramatiq.unpinned("default")
@dramatiq.actor
def report(day: str) -> int:
    """Read a replica whatever is pinned."""
    return Order.objects.count()


assert_type(receipt, Task[Any, Any])  # as celery-types types a task
assert_type(remind(7), bool)
assert_type(report("2026-01-01"), int)
