"""What a worker's main process does for a child that was killed: it stores the failure and publishes the errbacks.

It runs outside every task, and so without pins, unless the lost task's are opened there.
"""

from __future__ import annotations

from typing import Any, Final

from celery.worker.request import Request

from pindb import propagation
from pindb_celery._compat import Method, Patch
from pindb_celery.apps import installed


def _in_lost_tasks_context(original: Method) -> Method:
    def method(request: Request, *args: Any, **kwargs: Any) -> Any:
        if request.app not in installed:
            return original(request, *args, **kwargs)
        with propagation.open_lost(request.message.headers.get(propagation.KEY)):
            return original(request, *args, **kwargs)

    return method


PATCHES: Final = (
    Patch(Request, "on_failure", _in_lost_tasks_context),
    Patch(Request, "on_timeout", _in_lost_tasks_context),
)
