"""Pins go into a message as it is published; and a publish inside an open transaction is noticed.

Celery's signal `before_task_publish` would do for the pins, at twice the cost, but cannot refuse a publish: what its
receivers raise is swallowed. So the function that sends the signal is wrapped: every publish of an app goes through it.
"""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from celery.app.amqp import AMQP

from pindb import PinDbException, propagation
from pindb_celery._compat import Method, Patch
from pindb_celery.apps import installed

guard: Final = propagation.PublishGuard(
    "Task {!r} is published",
    "Write {}.delay_on_commit(...), or transaction.on_commit(...) around the publish.",
    frozenset({"celery", "kombu", "pindb_celery"}),
    PinDbException,
)


def _task_sender(original: Method) -> Method:
    """`_create_task_sender`: makes what `app.amqp.send_task_message` is from the app's first publish on."""

    def create_task_sender(amqp: Any) -> Method:
        app, send = amqp.app, original(amqp)

        def send_task_message(producer: Any, name: str, message: Any, *args: Any, **options: Any) -> Any:
            if app in installed:
                guard.notice(name)
                options["headers"] = _with_pins(options.get("headers"))
            return send(producer, name, message, *args, **options)

        return send_task_message

    return create_task_sender


def _with_pins(given: Any) -> dict[str, Any]:
    """Return the `headers` that a publish was given (a retry gives those of the message before) with its pins."""
    headers = dict(given) if given else {}
    pins = propagation.outgoing(headers.get(propagation.KEY))
    if pins is not None:
        headers[propagation.KEY] = pins
    return headers


def forget_sender(app: Celery) -> None:
    """Have `app` make its sender anew: it keeps the one of its first publish."""
    amqp = vars(app).get("amqp")
    if amqp is not None:
        vars(amqp).pop("send_task_message", None)


PATCHES: Final = (Patch(AMQP, "_create_task_sender", _task_sender),)
