"""Carries pins through django-q2: an app, because its workers may be processes that only set Django up.

    INSTALLED_APPS += ["pindb.contrib.django_q.PinDbDjangoQ"]

A task's dict travels whole, so the pins are an entry of it. Django-q's monitor, another process, enqueues the next task
of a chain: the worker leaves the pins for it among that task's arguments.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final

from django.apps import AppConfig

from pindb import PinDbException
from pindb.adapters import (
    KEY,
    PublishGuard,
    Work,
    open_eager,
    open_message,
    open_safely,
    outgoing,
    outgoing_in_row,
    pins_in,
)

logger: Final = logging.getLogger("pindb.django_q")

guard: Final = PublishGuard(
    "Task {!r} is enqueued",
    "Write transaction.on_commit(lambda: async_task({!r}, ...)).",
    frozenset({"django_q"}),
    PinDbException,
)

Open = tuple[Work, "Open | None"]
"""The unit of work of a task, and that of the task that runs it eagerly."""

_open: Final[ContextVar[Open | None]] = ContextVar("pindb_django_q_open", default=None)


class PinDbDjangoQ(AppConfig):
    """Connects django-q2's signals."""

    name = "pindb.contrib.django_q"
    label = "pindb_django_q"

    def ready(self) -> None:
        from django_q import signals  # noqa: PLC0415 - loads its models

        signals.pre_enqueue.connect(on_enqueue, dispatch_uid="pindb.on_enqueue")
        signals.pre_execute.connect(on_start, dispatch_uid="pindb.on_start")
        signals.post_execute_in_worker.connect(on_end, dispatch_uid="pindb.on_end")


def on_enqueue(task: dict[str, Any], **_: Any) -> None:
    """Put the pins of the caller into a task: receiver of `pre_enqueue`."""
    from django_q.conf import Conf  # noqa: PLC0415 - reads settings

    # A row in the database is there when the transaction commits.
    if not task.get("sync") and not Conf.ORM and not _is_scheduled():
        guard.notice(_name(task))
    existing = task["kwargs"].pop(KEY, task.get(KEY))  # `on_end` has left them there
    pins = outgoing_in_row(Conf.ORM, existing) if Conf.ORM else outgoing(existing)
    if pins is not None:
        task[KEY] = pins


def _is_scheduled() -> bool:
    """Return whether django-q's scheduler enqueues the task: the transaction around it writes schedules only.

    If the guard raised there, the rollback would have the schedules before this one enqueued again and again.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != "django_q.scheduler":
        frame = frame.f_back
    return frame is not None


def on_start(task: dict[str, Any], **_: Any) -> None:
    """Open the unit of work of a task: receiver of `pre_execute`. Django-q ends the worker if this fails."""
    outer = _open.get() if task.get("sync") else None
    _open.set((open_safely(_open_work, task, _name(task), task["id"]), outer))


def _name(task: dict[str, Any]) -> str:
    """Return the dotted name of the function of a task, which is that name or the function."""
    function = task["func"]
    if isinstance(function, str):
        return function
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', function)}"


def _open_work(task: dict[str, Any]) -> Work:
    return open_eager() if task.get("sync") else open_message(pins_in(task))


def on_end(task: dict[str, Any], **_: Any) -> None:
    """Close the unit of work of a task: receiver of `post_execute_in_worker`."""
    opened = _open.get()
    if opened is None:
        return
    work, outer = opened
    _open.set(outer)
    try:
        chain = task.get("chain")
        if chain and not task.get("sync") and (pins := outgoing(task.get(KEY))) is not None:
            function, args, kwargs = _step(chain[0])
            chain[0] = (function, args, {**kwargs, KEY: pins})
    except Exception:  # it would end the worker
        logger.exception("pindb could not hand on what %s has written: the next task may read old data.", task["name"])
    finally:
        work.close()


def _step(step: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the parts of a step of a chain: a function, or a tuple of it, its arguments, its keyword arguments."""
    function, *rest = step if type(step) is tuple else (step,)
    return function, rest[0] if rest else (), rest[1] if len(rest) > 1 else {}
