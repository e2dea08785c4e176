"""A site: a broker with pindb, a worker for it in threads of this process, and what its actors have seen."""

from __future__ import annotations

import contextlib
import queue
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import dramatiq
import kombu
from dramatiq import Broker, Message, Middleware, Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends import StubBackend as StubLimits
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend as StubResults

import pindb
import pindb_dramatiq
from pindb import propagation
from tests.carriers import pins_of
from tests.services import rabbitmq

TIMEOUT = 20.0


class Site:
    """What a test needs at hand. Its queue is its own, so that it never touches what it has not made."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.queue = f"pindb-{uuid.uuid4()}"
        self.reports: queue.Queue[Any] = queue.Queue()
        self.worker: Worker | None = None

    def actor(self, function: Any = None, **options: Any) -> Any:
        options = {"broker": self.broker, "queue_name": self.queue, "min_backoff": 1, "max_backoff": 1, **options}
        return dramatiq.actor(function, **options)

    def report(self, what: str = "") -> None:
        """Tell the test what is pinned here, from an actor."""
        self.reports.put((what, sorted(pindb.get_pinned()), sorted(pindb.get_newly_pinned())))

    def next(self) -> tuple[str, list[str], list[str]]:
        """Return the next report: what, pinned, newly pinned."""
        report: tuple[str, list[str], list[str]] = self.reports.get(timeout=TIMEOUT)
        return report

    def pinned(self) -> list[str]:
        """Return what was pinned in the next report."""
        return self.next()[1]

    def on_the_wire(self) -> list[Any]:
        """Return the pins in the messages on a StubBroker's queue, oldest first; takes them off."""
        waiting = self.broker.queues[self.queue]
        messages = [Message.decode(waiting.get_nowait()) for _ in range(waiting.qsize())]
        return [message.options.get(propagation.KEY) for message in messages]

    def settle(self) -> None:
        """Return when all messages are done, their hooks included."""
        assert self.worker is not None
        options = {"fail_fast": False} if isinstance(self.broker, StubBroker) else {}
        self.broker.join(self.queue, timeout=int(TIMEOUT * 1000), **options)
        self.worker.join()

    @contextlib.contextmanager
    def working(self, threads: int = 1) -> Iterator[Worker]:
        self.worker = Worker(self.broker, worker_timeout=20, worker_threads=threads)
        # Its end shall not wait for consumers that sleep for a second after an error.
        self.worker.start()
        try:
            yield self.worker
        finally:
            self.worker.stop()


def stub_site(*, installed: bool = True, more: Iterable[Middleware] = ()) -> Site:
    """Return a site on a StubBroker, with Dramatiq's default middleware, groups and results."""
    broker = StubBroker()
    equip(broker, more)
    if installed:
        pindb_dramatiq.install(broker)
    return Site(broker)


def equip(broker: Broker, more: Iterable[Middleware] = ()) -> None:
    broker.add_middleware(GroupCallbacks(StubLimits()))
    broker.add_middleware(Results(backend=StubResults()))
    for middleware in more:
        broker.add_middleware(middleware)


@contextlib.contextmanager
def made_site(kind: str, url: str = "") -> Iterator[Site]:
    """A site on a broker of the kind: "stub", "redis" (at `url`) or "rabbitmq"; gone afterwards."""
    if kind == "stub":
        yield stub_site()
        return
    if kind == "redis":
        from dramatiq.brokers.redis import RedisBroker

        broker: Any = RedisBroker(url=url, namespace=f"pindb-{uuid.uuid4()}")
    else:
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        broker = RabbitmqBroker(url=rabbitmq_url())
    equip(broker)
    pindb_dramatiq.install(broker)
    site = Site(broker)
    try:
        yield site
    finally:
        if kind == "rabbitmq":
            delete_queues(site.queue)
        broker.close()


def names_in(value: Any) -> set[str]:
    """Return the names of the DB sets that a message's option pins."""
    return set(pins_of(value))


def rabbitmq_url() -> str:
    """Return RabbitMQ's URL as Dramatiq's client reads it; skips the test, or fails in CI, where there is none."""
    return rabbitmq().rstrip("/")


def delete_queues(name: str) -> None:
    """Delete the queues of `name`, over a new connection: RabbitMQ may have dropped the idle one of the broker."""
    with kombu.Connection(rabbitmq()) as connection:
        for suffix in ("", ".DQ", ".XQ"):
            connection.default_channel.queue_delete(f"{name}{suffix}")


class Incoming:
    """All that the unit of work looks at in a message."""

    failed = False
    actor_name = "charge"
    message_id = "1"

    def __init__(self, options: Any) -> None:
        self.options = options
