"""The pins in a message, for as long as it is being published: the sender's object is then left as it was.

Some brokers encode the very object that the sender holds, others a copy. Would the pins stay in it, the next context
that enqueues it (a message made once for a module, say) would send pins that are not its own.
"""

from __future__ import annotations

from threading import Lock, current_thread, get_ident
from time import monotonic
from typing import Any, Final

from dramatiq.worker import _ConsumerThread  # Dramatiq 1's name, which 2 has too

from pindb import propagation
from pindb_dramatiq import window

PUBLISHING: Final = "pindb_publishing"
"""Attribute of a message. It is no field, so it is neither encoded nor in what `Message.copy()` returns."""

ENCODED: Final = 5.0
"""After how many seconds a message that is being published has surely been encoded, whatever its broker does then."""


class Publishing:
    """Who is publishing a message object at the moment, since when, and what its option was before.

    Each message has a lock of its own: a handler of a log or of a signal may publish another one while it is held.
    """

    __slots__ = ("before", "lock", "publishers")

    def __init__(self) -> None:
        self.lock: Final = Lock()
        self.publishers: dict[tuple[int, int], float] = {}
        self.before: object = None

    def __reduce__(self) -> Any:
        return Publishing, ()  # of a message that is pickled or copied meanwhile: nobody publishes the copy

    def begins(self, broker: object, options: dict[str, Any], pins: str) -> None:
        """Put `pins` into `options`, joined with those of a message that has come from the wire."""
        publisher, now = (get_ident(), id(broker)), monotonic()
        with self.lock:
            existing = options.get(propagation.KEY)
            if not self.publishers:
                self.before = existing
            elif not self._others(publisher, now):
                # What is there is of a publish that failed, or that RabbitMQ's broker repeats.
                self.publishers.clear()
                existing = self.before
            # Else one object is published several times at once, by threads or by middleware that sends it to a second
            # broker, and one dict is encoded: each has to leave the others' pins in it.
            self.publishers[publisher] = now
            options[propagation.KEY] = pins if existing is None else propagation.outgoing(existing)

    def ends(self, broker: object, options: dict[str, Any]) -> None:
        """Restore `options`, unless somebody else is still publishing them."""
        publisher = (get_ident(), id(broker))
        with self.lock:
            alone = len(self.publishers) == 1 or not self._others(publisher, monotonic())
            if publisher not in self.publishers or not alone:
                self.publishers.pop(publisher, None)
                return
            if self.before is None:
                options.pop(propagation.KEY, None)
            else:
                options[propagation.KEY] = self.before
            self.publishers.clear()  # last, so that nothing is lost of an end that is interrupted

    def _others(self, publisher: tuple[int, int], now: float) -> bool:
        """Return whether others are publishing: one that began long ago has failed, which nobody tells us."""
        return any(other != publisher and now - began < ENCODED for other, began in self.publishers.items())


def begins(message: Any, broker: object) -> None:
    """Note that this thread publishes `message` to `broker`, and put its pins in."""
    window.sent.set(message.message_id)
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
    record.begins(broker, options, pins)


def ends(message: Any, broker: object) -> None:
    """Note that this thread has published `message` to `broker`."""
    window.sent.set(None)
    record = message.__dict__.get(PUBLISHING)
    if record is not None:
        record.ends(broker, message.options)
