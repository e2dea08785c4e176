"""What pindb does in the processes that run no tasks (beat, and a worker's main process), and where a child ends.

The first two have no units of work of their own. Pins that stay there go into each message that they publish later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from celery.beat import Scheduler
from celery.worker.request import Request

import pindb
from pindb import adapters
from pindb.adapters import Patch, process_ends
from pindb_celery.installed import installed


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


def _in_killed_task(original: Callable[..., Any]) -> Callable[..., Any]:
    """`on_failure` and `on_timeout`: the main process stores the failure of a killed child and publishes its errbacks.

    The main process runs them outside every task, so this opens the unit of work of the killed task.
    """

    def method(request: Request, *args: Any, **kwargs: Any) -> Any:
        if request.app not in installed:
            return original(request, *args, **kwargs)
        with adapters.open_lost(request.message.headers.get(adapters.KEY)):
            return original(request, *args, **kwargs)

    return method


PATCHES: Final = (
    Patch(Scheduler, "apply_async", _apply_async),
    Patch(Request, "on_failure", _in_killed_task),
    Patch(Request, "on_timeout", _in_killed_task),
)
