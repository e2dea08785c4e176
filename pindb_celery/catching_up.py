"""`@caught_up`: a task waits for a replica, in its queue, instead of reading the master.

Its message is published again as it was, with a countdown, and this run ends with `Ignore`: which acknowledges the old
message, and stores, counts and calls nothing.
"""

from __future__ import annotations

import logging
import math
from typing import Any, Final, Self

from celery import Celery, Task, _state
from celery.exceptions import Ignore, SoftTimeLimitExceeded
from celery.utils.quorum_queues import detect_quorum_queues

from pindb import catching_up
from pindb_celery import window
from pindb_celery.decorators import ForTasks

logger: Final = logging.getLogger("pindb.celery")

ASKED: Final = "pindb_asked"
"""Attribute of a request: what has been asked in this run, for a task may call itself or another one directly."""

KEPT: Final = ("parent_id", "argsrepr", "kwargsrepr")
"""Headers that Celery would write anew: a parent would be the task itself, and the others may hide secrets."""

DEATHS: Final = ("x-death", "x-first-death-", "x-last-death-")
"""Beginnings of the headers in which RabbitMQ notes the queues that a message was delayed in. Older Celery sends
them on, and RabbitMQ drops a message that comes to such a queue again."""


class caught_up(ForTasks, catching_up.CaughtUp):  # noqa: N801 - read as a function
    """Puts the task back until a replica has what its caller wrote, for at most `timeout` seconds; then: the master."""

    def __enter__(self) -> Self:
        task = _state.get_current_task()
        if task is not None and self._may_requeue(task):
            requeue = self.requeue_needed(window.header(task.request, catching_up.SINCE))
            if requeue is not None and _requeue(task, requeue):
                raise Ignore(f"put back for {requeue.seconds:.2f} s: no replica has yet what its caller wrote")
        return self

    def _may_requeue(self, task: Task[Any, Any]) -> bool:
        """Return whether this run is of a message, and asks for the first time."""
        request = task.request
        if request.called_directly or request.is_eager or task.app.conf.task_always_eager:
            return False
        asked = vars(request).setdefault(ASKED, set())
        if self.decorator_id in asked or not self.guards(task.run):
            return False
        asked.add(self.decorator_id)
        return True


def _requeue(task: Task[Any, Any], requeue: catching_up.Requeue) -> bool:
    """Publish the message of this run again; return whether that went well."""
    request = task.request
    try:
        sent = request.as_execution_options()["headers"] or {}
        headers = {
            **{name: value for name, value in sent.items() if not name.startswith(DEATHS)},
            **{name: vars(request)[name] for name in KEPT if name in vars(request)},
            catching_up.SINCE: requeue.since,
        }
        options: dict[str, Any] = {"retries": request.retries, "headers": headers, "add_to_parent": False}
        # Celery before 5.7 goes by the task. A class attribute of requests would look like what the caller has said.
        if vars(request).get("ignore_result") is not None:
            options["ignore_result"] = request.ignore_result
        task.signature_from_request(request, countdown=_countdown(task.app, requeue.seconds), **options).apply_async()
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        logger.exception("pindb could not put %s[%s] back: it runs now.", task.name, request.id)
        return False
    return True


def _countdown(app: Celery, seconds: float) -> float:
    """Return a countdown that the app's queues can keep: quorum queues know whole seconds."""
    driver = app.producer_pool.connections.connection.transport.driver_type
    return math.ceil(seconds) if detect_quorum_queues(app, driver)[0] else seconds
