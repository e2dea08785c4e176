"""The brokers, each empty at first, and what the shop needs to use one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from tests.servers import RabbitMQ, Valkey


@contextmanager
def on_valkey(valkey: Valkey) -> Iterator[dict[str, str]]:
    """Yield the shop's variables for the Valkey that has the results as well."""
    valkey.flush()
    yield {"broker_url": valkey.url(0)}


@contextmanager
def on_rabbitmq(_: Valkey) -> Iterator[dict[str, str]]:
    """Yield the shop's variables for a RabbitMQ of its own."""
    with RabbitMQ() as rabbitmq:
        yield {"broker_url": rabbitmq.url()}


BROKERS: Final[dict[str, Callable[[Valkey], AbstractContextManager[dict[str, str]]]]] = {
    "redis": on_valkey,
    "rabbitmq": on_rabbitmq,
}
