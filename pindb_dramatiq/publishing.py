"""The pins in a message, for as long as it is being published: the sender's object is then left as it was.

Some brokers encode the very object that the sender holds, others a copy. Would the pins stay in it, the next context
that enqueues it (a message made once for a module, say) would send pins that are not its own.
"""

from __future__ import annotations

import os
from threading import Lock, current_thread, get_ident
from time import monotonic
from typing import Any, Final

from dramatiq.worker import _ConsumerThread  # Dramatiq 1's name, which 2 has too

from pindb import propagation

PUBLISHERS: Final = "pindb_publishers"
"""Attribute of a message: when each thread that publishes it began. It is no field: neither encoded nor copied."""

BEFORE: Final = "pindb_before"
"""Attribute of a message that is being published: what its option was before."""

ENCODED: Final = 5.0
"""After how many seconds a message that is being published has surely been encoded, whatever its broker does then."""

_lock: Final = Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lock._at_fork_reinit)  # type: ignore[attr-defined]


def begins(message: Any) -> None:
    """Note that this thread publishes `message`, and put its pins in, joined with those that it came with."""
    if isinstance(current_thread(), _ConsumerThread):
        # It enqueues delayed messages again, which are of nobody there: not of the message before, for which other
        # middleware may have written, nor of who started the thread, whose context it may have inherited.
        return
    pins = propagation.outgoing()
    if pins is None:
        return
    attributes, options, thread, now = message.__dict__, message.options, get_ident(), monotonic()
    with _lock:
        publishers = attributes.get(PUBLISHERS)
        if publishers is not None and _others(publishers, thread, now):
            # They encode the same dict: each has to leave the others' pins in it.
            publishers[thread] = now
            existing = options.get(propagation.KEY)
        else:
            # What is noted is of a publish that failed, or that RabbitMQ's broker repeats.
            existing = options.get(propagation.KEY) if publishers is None else attributes[BEFORE]
            attributes[BEFORE], attributes[PUBLISHERS] = existing, {thread: now}
        options[propagation.KEY] = pins if existing is None else propagation.joined(existing, pins)


def ends(message: Any) -> None:
    """Note that this thread has published `message`, and restore it, unless another thread is still publishing it."""
    attributes, options = message.__dict__, message.options
    with _lock:
        publishers = attributes.get(PUBLISHERS)
        if publishers is None:
            return
        publishers.pop(get_ident(), None)
        if publishers and _others(publishers, 0, monotonic()):
            return
        del attributes[PUBLISHERS]
        before = attributes.pop(BEFORE)
        if before is None:
            options.pop(propagation.KEY, None)
        else:
            options[propagation.KEY] = before


def _others(publishers: dict[int, float], thread: int, now: float) -> bool:
    """Return whether other threads are publishing: one that began long ago has failed, which nobody tells us."""
    return any(other != thread and abs(now - began) < ENCODED for other, began in publishers.items())
