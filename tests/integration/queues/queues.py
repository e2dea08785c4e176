"""Two task queues with one face: what the contract needs of either."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import celery
import dramatiq

import pindb
from tests.integration.celery.conftest import Surroundings
from tests.integration.dramatiq.workers import TIMEOUT, Workers

WAYS = ("at once", "later", "by hand")


class Queue(ABC):
    """Tasks by what they do: "where" says what is pinned in it, "writes" pins what it is told."""

    @abstractmethod
    def send(self, task: str, *args: Any, way: str = "at once") -> Any:
        """Send a task, and return what its result can be taken from."""

    @abstractmethod
    def in_sequence(self, *tasks: tuple[str, ...]) -> Any:
        """Have tasks run one after the other; return the last one's result to be."""

    @abstractmethod
    def fan_in(self, *tasks: tuple[str, ...]) -> Any:
        """Have tasks run at once, and "where" when all are done; return its result to be."""

    @abstractmethod
    def take(self, result: Any) -> Any:
        """Take a result, here."""

    def pinned(self, result: Any) -> list[str]:
        """Return what was pinned in a "where", without being pinned by asking."""
        with pindb.pinning_context():
            return list(self.take(result)["pinned"])


class CeleryQueue(Queue):
    """The workers of `tests.integration.celery`."""

    def __init__(self, paths: Surroundings) -> None:
        self.paths = paths

    def send(self, task: str, *args: Any, way: str = "at once") -> Any:
        signature = self.paths.task(task, *args)
        if way == "later":
            return signature.apply_async(countdown=0.1)
        if way == "by hand":
            return self.paths.app.send_task(signature.task, args)
        return signature.delay()

    def in_sequence(self, *tasks: tuple[str, ...]) -> Any:
        return celery.chain(*(self.paths.task(*task) for task in tasks)).apply_async()

    def fan_in(self, *tasks: tuple[str, ...]) -> Any:
        return celery.chord([self.paths.task(*task) for task in tasks])(self.paths.task("where"))

    def take(self, result: Any) -> Any:
        return result.get(timeout=60)


class DramatiqQueue(Queue):
    """The workers of `tests.unit.pindb_dramatiq`."""

    NAMES = {"where": "where", "writes": "pin"}  # noqa: RUF012 - read only

    def __init__(self, workers: Workers) -> None:
        self.workers = workers

    def message(self, task: str, *args: Any) -> Any:
        return getattr(self.workers.actors, self.NAMES[task]).message(*args)

    def send(self, task: str, *args: Any, way: str = "at once") -> Any:
        actor = getattr(self.workers.actors, self.NAMES[task])
        if way == "later":
            return actor.send_with_options(args=args, delay=100)
        if way == "by hand":
            return self.workers.broker.enqueue(self.message(task, *args))
        return actor.send(*args)

    def in_sequence(self, *tasks: tuple[str, ...]) -> Any:
        made = dramatiq.pipeline([self.message(*task) for task in tasks], broker=self.workers.broker)
        return made.run().messages[-1]

    def fan_in(self, *tasks: tuple[str, ...]) -> Any:
        made = dramatiq.group([self.message(*task) for task in tasks], broker=self.workers.broker)
        callback = self.message("where")
        made.add_completion_callback(callback)
        made.run()
        return callback

    def take(self, result: Any) -> Any:
        return result.get_result(backend=self.workers.broker.get_results_backend(), block=True, timeout=TIMEOUT)
