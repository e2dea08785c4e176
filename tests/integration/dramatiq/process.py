"""What a worker process of the tests runs: `dramatiq tests.integration.dramatiq.process`. Tests send to its actors.

PINDB_TEST_BROKER  URL of a Redis or RabbitMQ broker; PINDB_TEST_REDIS of a Redis for results and groups
PINDB_TEST_QUEUE   the queue, which is the test's own
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dramatiq
from dramatiq import Broker

import pindb
from tests.unit.pindb_dramatiq.brokers import SayReady, make_broker


def declare(broker: Broker, queue: str) -> Any:
    """Declare the actors on `broker`; return them by name."""
    actors = SimpleNamespace()

    def actor(function: Any) -> Any:
        made = dramatiq.actor(function, broker=broker, queue_name=queue, min_backoff=10, max_backoff=10)
        setattr(actors, made.actor_name, made)
        return made

    def seen() -> dict[str, Any]:
        return {
            "pinned": sorted(pindb.get_pinned()),
            "new": sorted(pindb.get_newly_pinned()),
            "process": os.getpid(),
            "thread": threading.get_ident(),
        }

    @actor
    def where(*_: object) -> Any:
        return seen()

    @actor
    def pin(name: str | None, *_: object) -> Any:
        if name:
            pindb.pin(name)
        return seen()

    @actor
    async def pin_async(name: str) -> Any:
        pindb.pin(name)
        return seen()

    @actor
    def flaky() -> Any:
        """Fail once, having written "audit"."""
        if not pindb.is_pinned("audit"):
            pindb.pin("audit")
            raise ZeroDivisionError
        return seen()

    @actor
    def overrun(file: str) -> Any:
        """Run until interrupted once, having written "audit"."""
        if not Path(file).exists():
            pindb.pin("audit")
            Path(file).touch()
            give_up = threading.Event()
            while not give_up.wait(0.01):
                pass
        return seen()

    @actor
    def crash(file: str) -> Any:
        """Kill its process the first time."""
        if not Path(file).exists():
            Path(file).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return seen()

    return actors


if "PINDB_TEST_BROKER" in os.environ:
    import django

    django.setup()
    global_broker = make_broker(
        os.environ["PINDB_TEST_BROKER"], os.environ["PINDB_TEST_REDIS"], gevent="PINDB_TEST_GEVENT" in os.environ
    )
    global_broker.add_middleware(SayReady())
    dramatiq.set_broker(global_broker)
    declare(global_broker, os.environ["PINDB_TEST_QUEUE"])
    pindb.pin("audit")  # where the worker's threads are started: no actor is given it
