"""Finds the messages of a batch: a task of celery-batches runs once for many messages, and has the pins of all.

celery-batches sends `task_prerun` with the messages as the task's argument. The task's own request has no headers.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from celery import Task


def requests_in(task: Task[Any, Any], args: Any) -> Sequence[Any]:
    """Return the requests of the messages that `task` is called with as a batch; none if it is not a batch."""
    package = sys.modules.get("celery_batches")  # a module with such a task has imported it
    if package is None or not isinstance(task, package.Batches):
        return ()
    (requests,) = args
    return requests  # type: ignore[no-any-return]
