"""A message sent inside an open transaction is noticed (`PINDB_PUBLISH_IN_ATOMIC`)."""

from __future__ import annotations

from typing import Final

from dramatiq.middleware import MiddlewareError

from pindb import PinDbException, propagation


class SentInTransactionError(PinDbException, MiddlewareError):
    """A message was sent inside an open transaction: an error that Dramatiq hands to the sender."""


guard: Final = propagation.PublishGuard(
    "Actor {!r} is sent a message",
    "Write transaction.on_commit(lambda: {}.send(...)).",
    frozenset({"dramatiq", "pindb_dramatiq"}),
    SentInTransactionError,
)
