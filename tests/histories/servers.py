"""The servers that the histories' site uses. Each broker has a message on disk before it says that it has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tests.demo.processes import prepare
from tests.histories.names import CLOCKS_APART
from tests.servers import DurableValkey, PostgresCluster, RabbitMQ

SETTINGS: Final = "tests.histories.store.settings"


class Broker(Protocol):
    """A running broker."""

    def url(self) -> str:
        """Return its URL, as Celery's settings and Dramatiq's broker take it."""
        ...

    def restart(self) -> None:
        """Kill it, and start it again with all that it has on disk."""

    def cut_connections(self) -> None:
        """Close all connections to it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of broker."""

    server: Callable[[], AbstractContextManager[Broker]]
    celery: Mapping[str, Any]
    """Celery's settings for it."""
    loses: tuple[str, ...]
    """How the names of messages begin that can get lost without pindb as well."""


BROKERS: Final = {
    "redis": Kind(
        DurableValkey,
        # When a message whose worker was killed is delivered again. Each process takes the time by its own clock.
        {"CELERY_BROKER_TRANSPORT_OPTIONS": {"visibility_timeout": 10 + CLOCKS_APART}},
        # kombu takes a message out of Redis first, and then notes in Redis that it has it. If the connection is lost in
        # between, so is the message.
        loses=("celery:",),
    ),
    "rabbitmq": Kind(RabbitMQ, {"CELERY_BROKER_TRANSPORT_OPTIONS": {"confirm_publish": True}}, loses=()),
}


@dataclass(frozen=True, slots=True)
class Servers:
    """Running servers, with the site's databases."""

    cluster: PostgresCluster
    broker: Broker
    results: DurableValkey
    """Where results are: the broker, if that is Redis."""


@contextmanager
def servers(broker: str, *, standbys: int = 3) -> Iterator[Servers]:
    """Yield servers of our own."""
    with PostgresCluster(standbys=standbys) as cluster, DurableValkey() as results, ExitStack() as stack:
        prepare(cluster, SETTINGS)
        kind = BROKERS[broker]
        yield Servers(cluster, results if kind.server is DurableValkey else stack.enter_context(kind.server()), results)
