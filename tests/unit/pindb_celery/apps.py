"""A Celery app for one test: its own broker and tasks, and hooks that are gone afterwards."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

from celery import Celery, _state
from celery.contrib.testing.worker import start_worker

import pindb
import pindb_celery

_numbers = itertools.count()


def where() -> dict[str, list[str]]:
    """What a task returns: what is pinned in it."""
    return {"pinned": sorted(pindb.get_pinned()), "new": sorted(pindb.get_newly_pinned())}


@contextlib.contextmanager
def celery_app(*, installed: bool = True, backend: str = "cache+memory://", **conf: Any) -> Iterator[Celery]:
    # A task is made in every later app too, unless Celery forgets it.
    finalizers = set(_state._on_app_finalizers)
    app = Celery(f"test{next(_numbers)}", broker="memory://", backend=backend, set_as_current=True)
    app.conf.update(
        task_default_queue=app.main,
        worker_pool="solo",
        worker_hijack_root_logger=False,
        broker_transport_options={"polling_interval": 0.01},
        **conf,
    )
    app.task(name="where")(where)
    if installed:
        pindb_celery.install(app)
    try:
        yield app
    finally:
        pindb_celery.uninstall(app)
        app.close()
        _state._on_app_finalizers.clear()
        _state._on_app_finalizers.update(finalizers)


@contextlib.contextmanager
def working(app: Celery) -> Iterator[None]:
    """A worker in a thread of this process."""
    with start_worker(app, perform_ping_check=False, shutdown_timeout=20):
        yield


def taken(result: Any) -> Any:
    """Take a task's result without being pinned by it."""
    with pindb.pinning_context():
        return result.get(timeout=20, interval=0.01)
