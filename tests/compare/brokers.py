"""The brokers: what the shop needs to use one, and a queue there that is gone afterwards."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from tests.servers import Valkey

AMQP: Final = os.environ.get("PINDB_TEST_AMQP", "amqp://guest:guest@127.0.0.1:5672//")


@contextmanager
def on_valkey(valkey: Valkey) -> Iterator[dict[str, str]]:
    """Yield the shop's variables for the Valkey that has the results as well."""
    valkey.flush()
    yield {"broker_url": valkey.url(0)}


@contextmanager
def on_rabbitmq(_: Valkey) -> Iterator[dict[str, str]]:
    """Yield the shop's variables for a queue of its own on the RabbitMQ at `PINDB_TEST_AMQP`; delete it at the end."""
    import kombu

    name = f"pindb-compare-{uuid.uuid4().hex[:12]}"
    with kombu.Connection(AMQP, connect_timeout=3) as connection:
        try:
            connection.ensure_connection(max_retries=1)
        except OSError as error:
            raise SystemExit(f"No RabbitMQ answers at {AMQP}: start one, or set PINDB_TEST_AMQP.") from error
    # Remote control has an exchange that would stay. Dramatiq's client reads a last slash as a nameless virtual host.
    celery = {"CELERY_TASK_DEFAULT_QUEUE": name, "CELERY_WORKER_ENABLE_REMOTE_CONTROL": False}
    try:
        yield {"broker_url": AMQP.rstrip("/"), "queue_name": name, "celery": json.dumps(celery)}
    finally:
        with kombu.Connection(AMQP) as connection:
            for suffix in ("", ".DQ", ".XQ"):
                connection.default_channel.queue_delete(f"{name}{suffix}")
            connection.default_channel.exchange_delete(name)


BROKERS: Final[dict[str, Callable[[Valkey], AbstractContextManager[dict[str, str]]]]] = {
    "redis": on_valkey,
    "rabbitmq": on_rabbitmq,
}
