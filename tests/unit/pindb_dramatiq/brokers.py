"""The broker that worker processes have, and whoever sends to them."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, Middleware
from dramatiq.middleware import AsyncIO, GroupCallbacks
from dramatiq.rate_limits.backends import RedisBackend as RedisLimits
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend as RedisResults

import pindb_dramatiq

READY = "The worker process is ready."


class SayReady(Middleware):
    """Says so: the shop's settings leave no other logger a voice."""

    def after_worker_boot(self, broker: Any, worker: Any) -> None:
        print(READY, flush=True)


def make_broker(url: str, redis: str, *, gevent: bool = False) -> Broker:
    """Return a broker with pindb, results and groups."""
    broker: Any
    if url.startswith("redis"):
        from dramatiq.brokers.redis import RedisBroker

        broker = RedisBroker(url=url)
    else:
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        broker = RabbitmqBroker(url=url)
    broker.add_middleware(GroupCallbacks(RedisLimits(url=redis)))
    broker.add_middleware(Results(backend=RedisResults(url=redis), store_results=True))
    if not gevent:  # its event loop needs a thread of its own
        broker.add_middleware(AsyncIO())
    pindb_dramatiq.install(broker)
    return broker
