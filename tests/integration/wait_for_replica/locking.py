"""Tasks whose classes lock on `apply_async`, so that a task is in its queue once: celery-singleton and celery-once."""

from __future__ import annotations

from typing import Any

from celery import Task
from celery_once import QueueOnce
from celery_singleton import Singleton

import pindb_celery
from tests.integration.wait_for_replica.project import app, told

app.conf.ONCE = {"backend": "celery_once.backends.Redis", "settings": {"url": app.conf.result_backend}}


class Swallowing(Task):
    """Publishes each task once, and says nothing of the others."""

    published: set[str] = set()  # noqa: RUF012 - of all tasks

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        if args[0] in self.published:
            return None
        self.published.add(args[0])
        return super().apply_async(args, kwargs, **options)


@app.task(base=Singleton)
@pindb_celery.caught_up("goods", timeout=60)
def singleton(name: str) -> Any:
    return told(singleton, name)


@app.task(base=QueueOnce, once={"graceful": True})
@pindb_celery.caught_up("goods", timeout=60)
def once(name: str) -> Any:
    return told(once, name)


@app.task(base=QueueOnce)
@pindb_celery.caught_up("goods", timeout=60)
def once_or_error(name: str) -> Any:
    return told(once_or_error, name)


@app.task(base=Swallowing)
@pindb_celery.caught_up("goods", timeout=60)
def swallowing(name: str) -> Any:
    return told(swallowing, name)


@app.task
def publishes(task: str, name: str) -> str:
    """Publish a task as its class does, which locks it; return its id."""
    return str(globals()[task].delay(name).id)
