"""Records what becomes of messages: the broker has accepted them, the broker was out of reach, a worker is done.

A message is known by its queue, its id and its number of retries: a retry is a message of its own. A worker is done
with a message even if the task has failed. One that was killed is not: the message has to come back.
"""

from __future__ import annotations

import os
from threading import local
from typing import Any

import dramatiq
from celery import signals

from tests.histories.names import message

_running = local()


def note(what: str, name: str) -> None:
    """Record "accepted", "refused", "received" or "done"."""
    line = f"{what} {name}\n".encode()
    file = os.open(os.environ["SHOP_MESSAGES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line)
    finally:
        os.close(file)


@signals.after_task_publish.connect
def _celery_accepted(headers: Any, **_: Any) -> None:
    note("accepted", message("celery", headers["id"], headers["retries"]))


@signals.task_received.connect
def _celery_received(request: Any, **_: Any) -> None:
    note("received", message("celery", request.id, request.request_dict.get("retries", 0)))


@signals.task_postrun.connect
def _celery_done(task: Any, task_id: str, **_: Any) -> None:
    note("done", message("celery", task_id, task.request.retries))


class NoteMessages(dramatiq.Middleware):
    """The same for Dramatiq."""

    def after_enqueue(self, broker: Any, message: Any, delay: int | None) -> None:
        """The broker has it."""
        note("accepted", _name(message))

    def before_process_message(self, broker: Any, message: Any) -> None:
        """Remember its name: a failure counts its retries up."""
        _running.name = _name(message)

    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """The actor has returned, or failed."""
        note("done", _running.name)

    def after_skip_message(self, broker: Any, message: Any) -> None:
        """Another middleware has kept it from the actor."""
        note("done", _name(message))


def _name(found: Any) -> str:
    return message("dramatiq", found.message_id, found.options.get("retries", 0))
