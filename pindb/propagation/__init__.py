"""Pins in transit: all that an adapter for a task queue needs (the public names of this package)."""

from pindb.api.functions import pinned_names
from pindb.propagation.carriers import NOTHING_PINNED
from pindb.propagation.carriers import pin_everything as everything
from pindb.propagation.messages import (
    KEY,
    discard_leftovers,
    interrupted_by,
    open_eager,
    open_lost,
    open_message,
    open_repeated,
    outgoing,
)
from pindb.propagation.publish_guard import PublishGuard
from pindb.propagation.results import outcome, take
from pindb.propagation.work import EagerWork, MessageWork, Work

__all__ = [
    "KEY",
    "NOTHING_PINNED",
    "EagerWork",
    "MessageWork",
    "PublishGuard",
    "Work",
    "discard_leftovers",
    "everything",
    "interrupted_by",
    "open_eager",
    "open_lost",
    "open_message",
    "open_repeated",
    "outcome",
    "outgoing",
    "pinned_names",
    "take",
]
