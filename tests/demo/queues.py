"""Celery and Dramatiq, as far as the demo tells them apart: how a worker is started, where a result is found."""

from __future__ import annotations

import importlib.metadata
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.shop.seen import Outcome

RESULT_TIMEOUT = 60.0


class Queue(ABC):
    """One of the two."""

    name: str
    pool: str
    """The pool that workers have unless another one is wanted."""

    def __str__(self) -> str:
        return f"{self.name.capitalize()} {importlib.metadata.version(self.name)}"

    @abstractmethod
    def worker(self, pool: str, concurrency: int) -> list[str]:
        """Return the command of a worker, which logs "ready." when it is."""

    @abstractmethod
    def results(self, backend: str, ids: Iterable[str]) -> tuple[Outcome, ...]:
        """Wait for the results of tasks; `backend` is a URL."""


class CeleryQueue(Queue):
    """Celery."""

    name, pool = "celery", "prefork"

    def worker(self, pool: str, concurrency: int) -> list[str]:
        # Mingle waits a second for other workers; there are none.
        quick = ["--without-mingle", "--without-gossip", "--without-heartbeat"]
        celery = [sys.executable, "-m", "celery", "-A", "tests.shop.celery", "worker", "--loglevel=INFO"]
        return [*celery, f"--pool={pool}", f"--concurrency={concurrency}", *quick]

    def results(self, backend: str, ids: Iterable[str]) -> tuple[Outcome, ...]:
        from celery import Celery

        with Celery("results", backend=backend, set_as_current=False) as app:
            return tuple(app.AsyncResult(task).get(timeout=RESULT_TIMEOUT) for task in ids)


class DramatiqQueue(Queue):
    """Dramatiq."""

    name, pool = "dramatiq", "threads"

    def worker(self, pool: str, concurrency: int) -> list[str]:
        # gevent's script patches before it imports anything else.
        script = "dramatiq-gevent" if pool == "gevent" else "dramatiq"
        size = ["--processes", "2", "--threads", str(concurrency)]
        root = str(Path(__file__).parents[2])
        return [str(Path(sys.executable).with_name(script)), "tests.shop.actors", "--path", root, *size]

    def results(self, backend: str, ids: Iterable[str]) -> tuple[Outcome, ...]:
        from dramatiq.results.backends import RedisBackend

        stored = RedisBackend(url=backend)
        messages = [_message(task) for task in ids]
        timeout = int(RESULT_TIMEOUT * 1000)
        return tuple(stored.get_result(message, block=True, timeout=timeout) for message in messages)


def _message(task: str) -> Any:
    from dramatiq import Message

    queue, actor, message_id = task.split(":")
    return Message(queue_name=queue, actor_name=actor, args=(), kwargs={}, options={}, message_id=message_id)


QUEUES: dict[str, Queue] = {queue.name: queue for queue in (CeleryQueue(), DramatiqQueue())}
