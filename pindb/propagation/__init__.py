"""Pins in transit: all that an adapter for a task queue needs (the public names of this package)."""

from pindb.propagation.messages import (
    KEY,
    NOTHING_PINNED,
    EagerWork,
    MessageWork,
    Work,
    interrupted_by,
    open_eager,
    open_lost,
    open_message,
    open_repeated,
    outcome,
    outgoing,
    take,
)
from pindb.propagation.messages import pin_everything as everything
from pindb.propagation.publish_guard import PublishGuard

__all__ = [
    "KEY",
    "NOTHING_PINNED",
    "EagerWork",
    "MessageWork",
    "PublishGuard",
    "Work",
    "everything",
    "interrupted_by",
    "open_eager",
    "open_lost",
    "open_message",
    "open_repeated",
    "outcome",
    "outgoing",
    "take",
]
