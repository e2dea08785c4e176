"""Actors of the Dramatiq worker processes (`dramatiq tests.integration.wait_for_replica.actors`) and their tests.

PINDB_TEST_BROKER  URL of a Redis or RabbitMQ broker; PINDB_TEST_REDIS of a Redis for results and groups
PINDB_TEST_QUEUE   the queue, which is the test's own
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import django
import dramatiq
from dramatiq import Broker, Middleware
from dramatiq.middleware import CurrentMessage

if "PINDB_TEST_BROKER" in os.environ:
    django.setup()

import pindb_dramatiq
from pindb import catching_up
from tests.integration.positions.goods import read_from
from tests.unit.pindb_dramatiq.brokers import SayReady, make_broker


class SaySkipped(Middleware):
    """Says so where the test can read it."""

    def after_skip_message(self, broker: Any, message: Any) -> None:
        print(f"[{message.message_id}] skipped", flush=True)


def declare(broker: Broker, queue: str) -> Any:
    """Declare the actors on `broker`; return them by name."""
    options: Any = {"broker": broker, "queue_name": queue, "min_backoff": 10, "max_backoff": 10}

    def told(name: str) -> dict[str, Any]:
        """Return what an actor has seen of its message, and of the row `name`."""
        alias, found = read_from(name)
        message: Any = CurrentMessage.get_current_message()
        return {
            "alias": alias,
            "found": found,
            "id": message.message_id,
            "retries": message.options.get("retries", 0),
            "put_back": catching_up.SINCE in message.options,
            "custom": message.options.get("custom"),
        }

    @dramatiq.actor(**options)
    @pindb_dramatiq.caught_up("goods", timeout=60)
    def patient(name: str) -> Any:
        return told(name)

    @dramatiq.actor(**options)
    @pindb_dramatiq.caught_up("goods", timeout=1)
    def impatient(name: str) -> Any:
        return told(name)

    @dramatiq.actor(max_retries=1, **options)
    @pindb_dramatiq.caught_up("goods", timeout=60)
    def fails_once(name: str) -> Any:
        message: Any = CurrentMessage.get_current_message()
        if not message.options.get("retries"):
            raise ZeroDivisionError
        return told(name)

    @dramatiq.actor(**options)
    def completed() -> str:
        return "completed"

    return SimpleNamespace(patient=patient, impatient=impatient, fails_once=fails_once, completed=completed)


if "PINDB_TEST_BROKER" in os.environ:
    global_broker = make_broker(
        os.environ["PINDB_TEST_BROKER"], os.environ["PINDB_TEST_REDIS"], gevent="PINDB_TEST_GEVENT" in os.environ
    )
    for middleware in (SayReady(), SaySkipped(), CurrentMessage()):
        global_broker.add_middleware(middleware)
    dramatiq.set_broker(global_broker)
    declare(global_broker, os.environ["PINDB_TEST_QUEUE"])
