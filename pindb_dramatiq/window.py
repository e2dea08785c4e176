"""The unit of work of a message that a worker processes, from hook to hook, kept in the context of its thread."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from threading import current_thread
from types import CodeType, FrameType
from typing import Any, Final

from dramatiq import Broker, MessageProxy
from dramatiq.worker import _WorkerThread  # Dramatiq 1's name, which 2 has too

import pindb
from pindb import propagation

logger: Final = logging.getLogger("pindb.dramatiq")

WROTE: Final = "pindb_wrote"
"""Attribute of a message: what its result shall hold, once its unit of work is closed."""

Window = tuple[MessageProxy, propagation.Work, Broker | None, "Window | None"]
"""A message, its unit of work, the worker's broker if it is not run at once, and the window it was opened in."""

_window: Final[ContextVar[Window | None]] = ContextVar("pindb_dramatiq_window", default=None)
innermost: Final = _window.get

senders: Final[dict[int, CodeType]] = {}
"""What is on the stack while a message is being sent, by its `id`: to hash code takes a microsecond."""


def opens(message: MessageProxy, broker: Broker | None = None) -> None:
    """Enter the unit of work of `message`; where that fails it reads masters."""
    outer, worker = _window.get(), None
    try:
        options = message.options
        value = options.get(propagation.KEY)
        if value is None and propagation.KEY in options:
            value = ""  # null is no pins that pindb has written
        in_worker = isinstance(current_thread(), _WorkerThread)
        if (outer is not None or not in_worker) and _is_run_at_once():
            work = propagation.open_eager(value)
        else:
            work = propagation.open_message(value)
            outer, worker = None, broker  # a window that is there was never closed
    except Exception:
        logger.exception("pindb could not open the unit of work of a message: its actor reads masters.")
        work = propagation.open_lost(None)
    # Were this interrupted before the work is noted, the next message's opening would discard it.
    _window.set((message, work, worker, outer))


def _is_run_at_once() -> bool:
    """Return whether a message is processed while it is being sent, in its sender's thread: by a broker for tests."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if id(frame.f_code) in senders:
            return True
        frame = frame.f_back
    return False


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


def unwind(outside: Window | None) -> None:
    """Close what was opened in `outside` and not closed: a broker for tests may not, if its actor fails."""
    while (window := _window.get()) is not outside and window is not None:
        closes(window[0])


def processed() -> MessageProxy | None:
    """Return the message whose unit of work the running code is in: on the worker's thread, from hook to hook."""
    window = _window.get()
    return None if window is None else window[0]


def broker() -> Broker | None:
    """Return where that message came from and can be put back to; `None` where it is run at once."""
    window = _window.get()
    return None if window is None else window[2]


def enabled() -> bool:
    """Return whether pindb is: asked in a unit of work of its own, where there is nothing to hand on."""
    with pindb.pinning_context():
        return propagation.outgoing() is not None


def outcome(message: Any) -> object:
    """Return what a taker of the result of `message` has to take, `None` where that is not known."""
    return propagation.outcome() if processed() is message else vars(message).get(WROTE)
