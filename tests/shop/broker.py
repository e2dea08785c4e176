"""The shop's Dramatiq broker, with what its routing wants done around actors."""

from __future__ import annotations

from typing import Any

import dramatiq
from django.conf import settings
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import CurrentMessage
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend, StubBackend

import pindb
import pindb_dramatiq


class EndPinning(dramatiq.Middleware):
    """Does after each message what the documentation of 0.1.12 says for Celery's tasks."""

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Unpin."""
        pindb.unpin_all()


class SayReady(dramatiq.Middleware):
    """Says when a worker process is, in a log that the shop's settings keep quiet."""

    def after_worker_boot(self, broker: Any, worker: Any) -> None:
        """Say so."""
        print("The shop's Dramatiq worker is ready.", flush=True)


def _broker(url: str) -> Any:
    if url.startswith("amqp"):
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        return RabbitmqBroker(url=url)
    from dramatiq.brokers.redis import RedisBroker

    return RedisBroker(url=url)


broker: Any
results: Any
if settings.SHOP_QUEUE == "dramatiq":
    broker = _broker(settings.CELERY_BROKER_URL)
    results = RedisBackend(url=settings.CELERY_RESULT_BACKEND)
else:
    broker, results = StubBroker(), StubBackend()
dramatiq.set_broker(broker)
broker.add_middleware(Results(backend=results))
broker.add_middleware(SayReady())
broker.add_middleware(CurrentMessage())
if settings.SHOP_ROUTING == "pindb":
    pindb_dramatiq.install(broker)
elif settings.SHOP_ROUTING == "0.1.12":
    broker.add_middleware(EndPinning())
