"""The project's Celery app and task, and its actor."""

from __future__ import annotations

import dramatiq
from celery import Celery
from dramatiq.brokers.stub import StubBroker

import pindb_celery
import pindb_dramatiq
from tests.shop.models import Customer

app = Celery("project", set_as_current=False)
app.config_from_object("django.conf:settings", namespace="CELERY")
pindb_celery.install(app)
broker = StubBroker()
pindb_dramatiq.install(broker)


@app.task
def greet(name: str) -> bool:
    return Customer.objects.filter(name=name).exists()


@dramatiq.actor(broker=broker)
def greet_later(name: str) -> None:
    assert Customer.objects.filter(name=name).exists()
