"""The unit of work of a message that a worker processes, kept on the message: an id can be processed twice at once."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from threading import current_thread
from typing import Any, Final

from dramatiq import Broker, MessageProxy
from dramatiq.worker import _WorkerThread  # Dramatiq 1's name, which 2 has too

import pindb
from pindb import propagation

logger: Final = logging.getLogger("pindb.dramatiq")

WORK: Final = "pindb_work"
WROTE: Final = "pindb_wrote"
BROKER: Final = "pindb_broker"
"""Attribute of a message that a worker processes: where it came from, and can be put back."""

_processed: Final[ContextVar[MessageProxy | None]] = ContextVar("pindb_dramatiq_processed", default=None)


def opens(message: MessageProxy, broker: Broker | None = None) -> None:
    """Enter the unit of work of `message`; whatever its options are, this does not fail."""
    try:
        value = message.options.get(propagation.KEY)
    except Exception:
        logger.exception("The options of a message cannot be read: its actor reads masters.")
        value = "unreadable"
    outer, in_worker = processed(), isinstance(current_thread(), _WorkerThread)
    if outer is not None and not in_worker:
        # A broker for tests that runs an actor at once, in the thread of the actor that sends.
        work = propagation.open_eager()
    else:
        outer, work = None, propagation.open_message(value)
    if in_worker:
        setattr(message, BROKER, broker)
    # Were this interrupted before the work is noted, the next message's opening would discard it.
    setattr(message, WORK, (work, outer))
    _processed.set(message)


def closes(message: MessageProxy) -> None:
    """Leave the unit of work of `message`; one that was never entered, or has been left, is no error."""
    opened: tuple[propagation.Work, MessageProxy | None] | None = vars(message).pop(WORK, None)
    if opened is None:
        return
    work, outer = opened
    try:
        if message.failed:  # its result will be stored when the message has been rejected, outside
            setattr(message, WROTE, propagation.outcome())
    finally:
        _processed.set(outer)
        work.close()


def processed() -> MessageProxy | None:
    """Return the message whose unit of work the running code is in: on the worker's thread, from hook to hook."""
    return _processed.get()


def enabled() -> bool:
    """Return whether pindb is: asked in a unit of work of its own, where there is nothing to hand on."""
    with pindb.pinning_context():
        return propagation.outgoing() is not None


def outcome(message: Any) -> object:
    """Return what a taker of the result of `message` has to take, `None` where that is not known."""
    return propagation.outcome() if processed() is message else vars(message).get(WROTE)
