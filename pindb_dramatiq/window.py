"""The unit of work of a message that a worker processes, from hook to hook, kept in the context of its thread."""

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

WROTE: Final = "pindb_wrote"
"""Attribute of a message: what its result shall hold, once its unit of work is closed."""

Window = tuple[MessageProxy, propagation.Work, Broker | None, "Window | None"]
"""A message, its unit of work, the worker's broker if a worker processes it, and the window it was opened in."""

_window: Final[ContextVar[Window | None]] = ContextVar("pindb_dramatiq_window", default=None)

sent: Final[ContextVar[str | None]] = ContextVar("pindb_dramatiq_sent", default=None)
"""The id of the message that is being sent. If it is processed meanwhile, a broker for tests runs its actor at once."""


def opens(message: MessageProxy, broker: Broker | None = None) -> None:
    """Enter the unit of work of `message`; where that fails it reads masters."""
    outer, worker = _window.get(), None
    try:
        options = message.options
        value = options.get(propagation.KEY)
        if value is None and propagation.KEY in options:
            value = ""  # null is no pins that pindb has written
        if (being_sent := sent.get()) is not None and being_sent == message.message_id:
            work = propagation.open_eager(value)
        elif isinstance(current_thread(), _WorkerThread):
            outer, worker = None, broker  # a window that is there was never closed
            work = propagation.open_message(value)
        else:  # in a copy of its sender's context, say
            work = propagation.open_message(value) if outer is None else propagation.open_eager(value)
    except Exception:
        logger.exception("pindb could not open the unit of work of a message: its actor reads masters.")
        work = propagation.open_lost(None)
    # Were this interrupted before the work is noted, the message's own close would find nothing to leave.
    _window.set((message, work, worker, outer))


def closes(message: MessageProxy) -> None:
    """Leave the unit of work of `message`; one that was never entered, or has been left, is no error."""
    window = _window.get()
    while window is not None and window[0] is not message:
        window = window[3]  # one that was never closed
    if window is None:
        return
    _, work, _, outer = window
    try:
        if message.failed:  # its result will be stored when the message has been rejected, outside
            setattr(message, WROTE, propagation.outcome())
    finally:
        _window.set(outer)
        work.close()


def processed() -> MessageProxy | None:
    """Return the message whose unit of work the running code is in: on the worker's thread, from hook to hook."""
    window = _window.get()
    return None if window is None else window[0]


def broker() -> Broker | None:
    """Return where that message came from and can be put back to; `None` where no worker processes it."""
    window = _window.get()
    return None if window is None else window[2]


def enabled() -> bool:
    """Return whether pindb is: asked in a unit of work of its own, where there is nothing to hand on."""
    with pindb.pinning_context():
        return propagation.outgoing() is not None


def outcome(message: Any) -> object:
    """Return what a taker of the result of `message` has to take, `None` where that is not known."""
    return propagation.outcome() if processed() is message else vars(message).get(WROTE)
