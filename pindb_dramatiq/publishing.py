"""Writes pins into a message for as long as it is being published, and reports a publish inside an open transaction.

Some brokers encode the very object that the sender holds, others a copy. If the pins stayed in the sender's object, the
next unit of work that enqueues it (a message created once for a module, for example) would send pins of another one. So
the object is restored after the publish.
"""

from __future__ import annotations

from threading import Lock, current_thread, get_ident
from time import monotonic
from typing import Any, Final

from dramatiq.middleware import MiddlewareError
from dramatiq.worker import _ConsumerThread  # Dramatiq 1's name, which 2 has too

from pindb import PinDbException, adapters
from pindb_dramatiq.unit_of_work import message_being_sent


class SentInTransactionError(PinDbException, MiddlewareError):
    """A message was sent inside an open transaction. Dramatiq passes a `MiddlewareError` on to the sender."""


guard: Final = adapters.PublishGuard(
    "Actor {!r} is sent a message",
    "Write transaction.on_commit(lambda: {}.send(...)).",
    frozenset({"dramatiq", "pindb_dramatiq"}),
    SentInTransactionError,
)

PUBLISHING: Final = "pindb_publishing"
"""Attribute of a message. It is no field, so Dramatiq neither encodes it nor copies it in `Message.copy()`."""

ENCODED: Final = 5.0
"""After this many seconds any broker has encoded a message that is being published."""


class Publishing:
    """The current publishers of a message object, with their start times, and the option before the first of them.

    Each message has a lock of its own: a handler of a log or of a signal may publish another message while it is held.
    """

    __slots__ = ("before", "lock", "publishers")

    def __init__(self) -> None:
        self.lock: Final = Lock()
        self.publishers: dict[tuple[int, int], float] = {}
        self.before: object = None

    def __reduce__(self) -> Any:
        return Publishing, ()  # of a message that is pickled or copied meanwhile: nobody publishes the copy

    def start(self, broker: object, options: dict[str, Any], pins: str) -> None:
        """Write `pins` into `options`, joined with those of a message that has come from a broker."""
        publisher, now = (get_ident(), id(broker)), monotonic()
        with self.lock:
            existing = options.get(adapters.KEY)
            if not self.publishers:
                self.before = existing
            elif not self._others(publisher, now):
                # These are the pins of a publish that failed, or that RabbitMQ's broker repeats.
                self.publishers.clear()
                existing = self.before
            # Otherwise threads, or middleware that sends to a second broker, publish one object at the same time. The
            # brokers encode one dict, so each publish keeps the pins of the others in it.
            self.publishers[publisher] = now
            options[adapters.KEY] = pins if existing is None else adapters.outgoing(existing)

    def end(self, broker: object, options: dict[str, Any]) -> None:
        """Restore `options`, unless others still publish them."""
        publisher = (get_ident(), id(broker))
        with self.lock:
            alone = len(self.publishers) == 1 or not self._others(publisher, monotonic())
            if publisher not in self.publishers or not alone:
                self.publishers.pop(publisher, None)
                return
            if self.before is None:
                options.pop(adapters.KEY, None)
            else:
                options[adapters.KEY] = self.before
            self.publishers.clear()  # last: an interrupt before it loses nothing

    def _others(self, publisher: tuple[int, int], now: float) -> bool:
        """Return whether others are publishing. One that started long ago has failed: Dramatiq does not report it."""
        return any(other != publisher and now - started < ENCODED for other, started in self.publishers.items())


def on_publish_start(message: Any, broker: object) -> None:
    """Note that this thread publishes `message` to `broker`, and write its pins into the message."""
    message_being_sent.set(message.message_id)
    if isinstance(current_thread(), _ConsumerThread):
        # The consumer thread re-enqueues delayed messages. They belong to no unit of work of this thread, so leave
        # their pins alone. The thread may have pins: from other middleware that wrote for an earlier message, or from
        # the context of the thread that started it.
        return
    pins = adapters.outgoing()
    if pins is None:
        return
    attributes, options = message.__dict__, message.options
    record = attributes.get(PUBLISHING)
    if record is None:
        if pins == adapters.NOTHING_PINNED == options.setdefault(adapters.KEY, pins):
            return  # it may stay in the object: joined with the pins of the next publish it changes nothing
        record = attributes.setdefault(PUBLISHING, Publishing())
    record.start(broker, options, pins)


def on_publish_end(message: Any, broker: object) -> None:
    """Note that this thread has published `message` to `broker`, and restore the message."""
    message_being_sent.set(None)
    record = message.__dict__.get(PUBLISHING)
    if record is not None:
        record.end(broker, message.options)
