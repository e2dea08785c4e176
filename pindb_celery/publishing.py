"""Writes pins into a message as a task is published, and reports a publish inside an open transaction.

Celery's signal `before_task_publish` could write the pins, at twice the cost, but cannot refuse a publish: Celery
swallows the exceptions of receivers. So pindb wraps the function that sends the signal: every publish of an app goes
through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from celery import Celery
from celery.app.amqp import AMQP

from pindb import PinDbException, adapters
from pindb.adapters import Patch
from pindb_celery.installed import installed

guard: Final = adapters.PublishGuard(
    "Task {!r} is published",
    "Write {}.delay_on_commit(...), or transaction.on_commit(...) around the publish.",
    frozenset({"celery", "kombu", "pindb_celery"}),
    PinDbException,
)

_names: Final[ContextVar[list[str] | None]] = ContextVar("pindb_celery.names", default=None)


@contextmanager
def noting_names() -> Iterator[list[str]]:
    """Collect the names of the tasks that are published inside: what `apply_async` returns does not tell."""
    names: list[str] = []
    token = _names.set(names)
    try:
        yield names
    finally:
        _names.reset(token)


def _create_task_sender(original: Callable[..., Any]) -> Callable[..., Any]:
    """`AMQP._create_task_sender`: returns the function that is `app.amqp.send_task_message` from then on."""

    def create_task_sender(amqp: Any) -> Callable[..., Any]:
        app, send = amqp.app, original(amqp)

        def send_task_message(producer: Any, name: str, message: Any, *args: Any, **options: Any) -> Any:
            if app in installed:
                if not _is_retry(message):
                    guard.notice(name)
                options["headers"] = _with_pins(options.get("headers"))
            result = send(producer, name, message, *args, **options)
            if (names := _names.get()) is not None:
                names.append(name)
            return result

        return send_task_message

    return create_task_sender


def _is_retry(message: Any) -> bool:
    """Return whether a task publishes itself again. It leaves its transaction with an exception, which rolls it back.

    So the guard does not notice it. If the guard raised, Celery would reject the message that the task came with.
    """
    fields = message.body if isinstance(message.body, dict) else message.headers  # a dict: version 1 of the protocol
    return bool(fields.get("retries"))


def _with_pins(given: Any) -> dict[str, Any]:
    """Return the `headers` of a publish with its pins: a copy, because the caller owns `given`.

    A retry gives the headers of the message before, pins included.
    """
    headers = dict(given) if given else {}
    pins = adapters.outgoing(headers.get(adapters.KEY))
    if pins is not None:
        headers[adapters.KEY] = pins
    return headers


def forget_sender(app: Celery) -> None:
    """Make `app` create its sender again: it keeps the one of its first publish."""
    amqp = vars(app).get("amqp")
    if amqp is not None:
        vars(amqp).pop("send_task_message", None)


PATCHES: Final = (Patch(AMQP, "_create_task_sender", _create_task_sender),)
