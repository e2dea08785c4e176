"""The combinations of broker, backend and pool that the suite runs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Combination:
    """A worker's surroundings; `carries`: the backend carries pins, so that only what was written is pinned."""

    broker: str
    backend: str
    pool: str
    heavy: bool = False

    def __str__(self) -> str:
        return f"{self.broker}-{self.backend}-{self.pool}"

    @property
    def has_chords(self) -> bool:
        return self.backend != "rpc"

    @property
    def carries(self) -> bool:
        return self.backend != "database"


ALL = (
    Combination("valkey", "redis", "prefork"),
    Combination("rabbitmq", "rpc", "threads"),
    Combination("valkey", "file", "threads"),  # chords by celery.chord_unlock
    Combination("rabbitmq", "redis", "solo", heavy=True),
    Combination("valkey", "redis", "gevent", heavy=True),
    Combination("valkey", "redis", "eventlet", heavy=True),
    Combination("rabbitmq", "django-db", "prefork", heavy=True),
    Combination("valkey", "database", "prefork", heavy=True),  # a fixed set of fields: it carries nothing
    Combination("rabbitmq", "rpc", "prefork", heavy=True),
)


def parameters(wanted: Callable[[Combination], bool] = lambda _: True) -> list[Any]:
    """Return the combinations that are `wanted` as parameters of a test; the heavy half is marked."""
    heavy = pytest.mark.heavy
    return [pytest.param(each, id=str(each), marks=heavy if each.heavy else ()) for each in ALL if wanted(each)]
