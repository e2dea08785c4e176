"""What pindb does in the processes that run no tasks (beat, and a worker's main process), and where a child ends.

The first two have no units of work of their own. Pins that stay there go into each message that they publish later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from celery.backends.base import Backend
from celery.beat import Scheduler
from celery.worker.request import Request

import pindb
from pindb import adapters
from pindb.adapters import Patch, process_ends
from pindb_celery.installed import installed
from pindb_celery.unit_of_work import headers_with


def on_process_end(**_: Any) -> None:
    """Receiver of `worker_process_shutdown`."""
    process_ends()


def _apply_async(original: Callable[..., Any]) -> Callable[..., Any]:
    """`Scheduler.apply_async`: beat publishes with nothing pinned, even if its scheduler writes to a database."""

    def apply_async(scheduler: Scheduler, *args: Any, **kwargs: Any) -> Any:
        if scheduler.app not in installed:
            return original(scheduler, *args, **kwargs)
        with pindb.pinning_context():
            return original(scheduler, *args, **kwargs)

    return apply_async


def _in_lost_task(original: Callable[..., Any]) -> Callable[..., Any]:
    """`on_failure` and `on_timeout` of a task whose child was killed, `_announce_revoked` of one revoked or expired.

    The main process stores the failure of the task and publishes the errbacks: its own, or its chord's. It does so
    outside every task, so this opens the unit of work of the lost task.
    """

    def method(request: Request, *args: Any, **kwargs: Any) -> Any:
        if request.app not in installed:
            return original(request, *args, **kwargs)
        with adapters.open_lost(request.message.headers.get(adapters.KEY)):
            return original(request, *args, **kwargs)

    return method


def _mark_as_failure(original: Callable[..., Any]) -> Callable[..., Any]:
    """`Backend.mark_as_failure`: the main process calls it for an unknown task, or an eta that it cannot convert."""

    def mark_as_failure(backend: Any, *args: Any, **kwargs: Any) -> Any:
        request = kwargs.get("request")
        if backend.app not in installed or request is None or adapters.outcome() is not None:
            return original(backend, *args, **kwargs)
        with adapters.open_lost(headers_with(request, adapters.KEY).get(adapters.KEY, adapters.NOTHING_PINNED)):
            return original(backend, *args, **kwargs)

    return mark_as_failure


PATCHES: Final = (
    Patch(Scheduler, "apply_async", _apply_async),
    Patch(Request, "on_failure", _in_lost_task),
    Patch(Request, "on_timeout", _in_lost_task),
    Patch(Request, "_announce_revoked", _in_lost_task),
    Patch(Backend, "mark_as_failure", _mark_as_failure),
)
