"""Opens the unit of work of a message as a worker starts to process it, and closes it when it is done.

The open message is kept in the context of the worker's thread, from hook to hook.
"""

from __future__ import annotations

from contextvars import ContextVar
from threading import current_thread
from typing import Any, Final

from dramatiq import Broker, MessageProxy
from dramatiq.worker import _WorkerThread  # Dramatiq 1's name, which 2 has too

import pindb
from pindb import adapters
from pindb.adapters import open_safely, pins_in

OUTCOME: Final = "pindb_outcome"
"""Attribute of a failed message: the pins for its result, which Dramatiq stores after the unit of work has closed."""

OpenMessage = tuple[MessageProxy, adapters.Work, Broker | None, "OpenMessage | None"]
"""A message, its unit of work, the worker's broker if a worker processes it, and the message it was opened in."""

_current: Final[ContextVar[OpenMessage | None]] = ContextVar("pindb_dramatiq_current", default=None)

message_being_sent: Final[ContextVar[str | None]] = ContextVar("pindb_dramatiq_message_being_sent", default=None)
"""The id of the message that is being sent. If it is processed meanwhile, a broker for tests runs its actor at once."""


def on_task_start(message: MessageProxy, broker: Broker | None = None) -> None:
    """Open the unit of work of `message`; if that fails, the actor reads masters."""
    outer, worker = _current.get(), None
    sent = message_being_sent.get()
    if sent is not None and sent == message.message_id:
        work = open_safely(_open_eager, message, message.actor_name, message.message_id)
    elif isinstance(current_thread(), _WorkerThread):
        outer, worker = None, broker  # a message that is still open here was never closed
        work = open_safely(_open_between_tasks, message, message.actor_name, message.message_id)
    else:  # in a copy of its sender's context, for example
        work = open_safely(
            _open_received if outer is None else _open_eager, message, message.actor_name, message.message_id
        )
    # An interrupt before this line leaves the unit of work open: the next message of the thread discards it.
    _current.set((message, work, worker, outer))


def _open_between_tasks(message: MessageProxy) -> adapters.Work:
    adapters.discard_leftovers()
    return _open_received(message)


def _open_received(message: MessageProxy) -> adapters.Work:
    return adapters.open_message(pins_in(message.options))


def _open_eager(message: MessageProxy) -> adapters.Work:
    return adapters.open_eager(pins_in(message.options))


def on_task_end(message: MessageProxy) -> None:
    """Close the unit of work of `message`; nothing happens if it was never opened, or is closed."""
    opened = _current.get()
    while opened is not None and opened[0] is not message:
        opened = opened[3]  # a message inside it that was never closed
    if opened is None:
        return
    _, work, _, outer = opened
    try:
        if message.failed:
            setattr(message, OUTCOME, adapters.outcome())
    finally:
        _current.set(outer)
        work.close()


def current_message() -> MessageProxy | None:
    """Return the message whose unit of work the running code is in: on the worker's thread, from hook to hook."""
    opened = _current.get()
    return None if opened is None else opened[0]


def current_broker() -> Broker | None:
    """Return the broker that the current message can be requeued to; `None` if no worker processes it."""
    opened = _current.get()
    return None if opened is None else opened[2]


def enabled() -> bool:
    """Return whether pindb is enabled. This asks in a unit of work of its own, which has nothing to hand on."""
    with pindb.pinning_context():
        return adapters.outgoing() is not None


def outcome(message: Any) -> object:
    """Return the pins for the result of `message`, `None` if they are not known."""
    return adapters.outcome() if current_message() is message else vars(message).get(OUTCOME)
