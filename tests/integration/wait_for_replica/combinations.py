"""The combinations of broker, pool and database that a Celery task waits on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Combination:
    """A worker's surroundings; "quorum" is RabbitMQ with quorum queues, which delay messages in their own way."""

    broker: str
    pool: str
    database: str = "postgresql"
    heavy: bool = True

    def __str__(self) -> str:
        return f"{self.broker}-{self.pool}-{self.database}"

    @property
    def settings(self) -> dict[str, Any]:
        """What both ends configure."""
        if self.broker != "quorum":
            return {}
        return {
            "task_default_queue_type": "quorum",
            "task_default_exchange_type": "topic",
            "broker_transport_options": {"confirm_publish": True},
        }


ALL = (
    Combination("valkey", "prefork", heavy=False),
    Combination("rabbitmq", "threads", heavy=False),
    Combination("valkey", "threads", "mariadb"),
    Combination("valkey", "gevent"),
    Combination("valkey", "eventlet"),
    Combination("valkey", "solo", "mysql"),
    Combination("rabbitmq", "prefork"),
    Combination("rabbitmq", "gevent"),
    Combination("rabbitmq", "solo"),
    Combination("quorum", "prefork"),
)


def parameters() -> list[Any]:
    return [pytest.param(each, id=str(each), marks=pytest.mark.heavy if each.heavy else ()) for each in ALL]
