"""An actor over the broker whose URL is given, or over StubBroker: it has its sender's pins.

With Redis it stores a result, too, and a group of it has a callback: each backend is its own library's.
"""

from __future__ import annotations

import queue
import sys
import uuid
from typing import Any

import dramatiq
import shop
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends import StubBackend as StubLimits
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend as StubResults

import pindb
import pindb_dramatiq

QUEUE = f"pindb-install-{uuid.uuid4().hex}"


def make_broker(url: str) -> tuple[Any, list[Any]]:
    """Return a broker and its middleware for results and groups."""
    if url.startswith("amqp"):
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        return RabbitmqBroker(url=url.removesuffix("//")), []  # the default vhost, as kombu writes it
    if url.startswith("redis"):
        from dramatiq.brokers.redis import RedisBroker
        from dramatiq.rate_limits.backends import RedisBackend as RedisLimits
        from dramatiq.results.backends import RedisBackend as RedisResults

        return RedisBroker(url=url), [GroupCallbacks(RedisLimits(url=url)), Results(backend=RedisResults(url=url))]
    from dramatiq.brokers.stub import StubBroker

    return StubBroker(), [GroupCallbacks(StubLimits()), Results(backend=StubResults())]


def delete_queues(broker: Any) -> None:
    if hasattr(type(broker), "channel"):
        for name in (QUEUE, f"{QUEUE}.DQ", f"{QUEUE}.XQ"):
            broker.channel.queue_delete(name)


def main(url: str = "") -> None:
    shop.set_up()
    broker, middleware = make_broker(url)
    for each in middleware:
        broker.add_middleware(each)
    pindb_dramatiq.install(broker)
    dramatiq.set_broker(broker)
    seen: queue.Queue[list[str]] = queue.Queue()

    @dramatiq.actor(queue_name=QUEUE, max_retries=0, **({"store_results": True} if middleware else {}))
    def write() -> None:
        pindb.pin("default")

    @dramatiq.actor(queue_name=QUEUE, max_retries=0)
    def where() -> None:
        seen.put(sorted(pindb.get_pinned()))

    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=100)
    worker.start()
    try:
        where.send()
        assert seen.get(timeout=60) == [], "nothing was pinned"
        with pindb.pinned("default"):
            where.send()
        assert seen.get(timeout=60) == ["default"], "the message carries its sender's pins"
        if middleware:
            with pindb.pinning_context():
                write.send().get_result(block=True, timeout=60_000)
                assert pindb.get_newly_pinned() == {"default"}, "the result carries the actor's pins"
            with pindb.pinning_context():
                group = dramatiq.group([write.message(), write.message()])
                group.add_completion_callback(where.message())
                group.run()
            assert seen.get(timeout=60) == ["default"], "the callback has its group's pins"
    finally:
        worker.stop()
        delete_queues(broker)
        broker.close()
    print(f"an actor over {type(broker).__name__}", *["with results and groups"] * bool(middleware))


main(*sys.argv[1:])
