"""The pins in a message, for as long as it is being published: the sender's object is then left as it was.

Some brokers encode the very object that the sender holds, others a copy. Would the pins stay in it, the next context
that enqueues it (a message made once for a module, say) would send pins that are not its own.
"""

from __future__ import annotations

import functools
from threading import Lock, current_thread, get_ident
from typing import Any, Final

from dramatiq.worker import _ConsumerThread  # Dramatiq 1's name, which 2 has too

from pindb import propagation
from pindb_dramatiq import sharing, window

PUBLISHING: Final = "pindb_publishing"
"""Attribute of a message. It is no field, so it is neither encoded nor in what `Message.copy()` returns."""


class Publishing:
    """Which threads are publishing a message object at the moment, and what its option was before.

    Each message has a lock of its own: a handler of a log or of a signal may publish another one while it is held.
    """

    __slots__ = ("before", "lock", "threads")

    def __init__(self) -> None:
        self.lock: Final = Lock()
        self.threads: set[int] = set()
        self.before: object = None

    def __reduce__(self) -> Any:
        return Publishing, ()  # of a message that is pickled or copied meanwhile: nobody publishes the copy

    def begins(self, options: dict[str, Any], pins: str) -> None:
        """Put `pins` into `options`, joined with those of a message that has come from the wire."""
        thread = get_ident()
        with self.lock:
            existing = options.get(propagation.KEY)
            if not self.threads:
                self.before = existing
            # Else threads publish one object at once, and encode one dict: each has to leave the others' pins in it. Or
            # RabbitMQ's broker repeats what it has begun: its own pins are there already.
            self.threads.add(thread)
            options[propagation.KEY] = pins if existing is None else propagation.outgoing(existing)

    def ends(self, options: dict[str, Any]) -> None:
        """Restore `options`, unless another thread is still publishing them."""
        thread = get_ident()
        with self.lock:
            if self.threads == {thread}:
                if self.before is None:
                    options.pop(propagation.KEY, None)
                else:
                    options[propagation.KEY] = self.before
            self.threads.discard(thread)  # last, so that nothing is lost of an end that is interrupted


def begins(message: Any) -> None:
    """Note that this thread publishes `message`, and put its pins in."""
    if isinstance(current_thread(), _ConsumerThread):
        # It enqueues delayed messages again, which are of nobody there: not of the message before, for which other
        # middleware may have written, nor of who started the thread, whose context it may have inherited.
        return
    pins = propagation.outgoing()
    if pins is None:
        return
    attributes, options = message.__dict__, message.options
    record = attributes.get(PUBLISHING)
    if record is None:
        if pins == propagation.NOTHING_PINNED == options.setdefault(propagation.KEY, pins):
            return  # it may stay: joined with the pins of whoever enqueues this next, it changes nothing
        record = attributes.setdefault(PUBLISHING, Publishing())
    record.begins(options, pins)


def ends(message: Any) -> None:
    """Note that this thread has published `message`, or has failed to; twice is once."""
    record = message.__dict__.get(PUBLISHING)
    if record is not None:
        record.ends(message.options)


def follow(broker: Any, holder: object) -> None:
    """Have `broker.enqueue` end what it has begun where it fails, which no hook tells; twice is once for a `holder`."""
    if not sharing.hold(broker, holder):
        return
    enqueue = broker.enqueue

    def enqueue_and_end(message: Any, *, delay: int | None = None, **more: Any) -> Any:
        outside = window.innermost()
        try:
            if more:  # a broker's own; else a quarter of the cost
                return enqueue(message, delay=delay, **more)
            return enqueue(message, delay=delay)
        except BaseException:
            ends(message)
            window.unwind(outside)
            raise

    window.senders[id(enqueue_and_end.__code__)] = enqueue_and_end.__code__
    vars(broker)["enqueue"] = functools.wraps(enqueue)(enqueue_and_end)


def unfollow(broker: Any, holder: object) -> None:
    """Undo `follow(broker, holder)`."""
    if sharing.let_go(broker, holder):
        vars(broker).pop("enqueue", None)
