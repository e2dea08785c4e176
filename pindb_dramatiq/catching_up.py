"""`@caught_up`: an actor's message waits for a replica, in its queue, instead of reading the master.

It is enqueued again as it was, with a delay, and this run is skipped: which acknowledges the old message, and counts
and calls nothing. `Results` would store `None` for it, so the old message is told to store none.
"""

from __future__ import annotations

import logging
from typing import Any, Final, Self

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import SkipMessage

from pindb import catching_up
from pindb_dramatiq import window
from pindb_dramatiq.decorators import decorated

logger: Final = logging.getLogger("pindb.dramatiq")

ASKED: Final = "pindb_asked"
"""Attribute of a message: what has been asked in this run, for an actor may call itself or another one directly."""


class caught_up(catching_up.CaughtUp):  # noqa: N801 - read as a function
    """Puts the message back until a replica has what its sender wrote, for at most `timeout` seconds; then: the master.

    Right below `@dramatiq.actor`, or above it.
    """

    def __call__(self, target: Any) -> Any:
        """Return `target`, an actor or a function, so that it waits for a replica before it runs."""
        return decorated(super().__call__, target)

    def __enter__(self) -> Self:
        message, broker = window.processed(), window.broker()
        if message is not None and broker is not None and self._may_requeue(broker, message):
            requeue = self.requeue_needed(message.options.get(catching_up.SINCE))
            if requeue is not None and _requeue(broker, message, requeue):
                raise SkipMessage(f"put back for {requeue.seconds:.2f} s: no replica has yet what its sender wrote")
        return self

    def _may_requeue(self, broker: Broker, message: MessageProxy) -> bool:
        """Return whether this is the message's own run, and asks for the first time."""
        asked = vars(message).setdefault(ASKED, set())
        if self.decorator_id in asked or not self.guards(broker.get_actor(message.actor_name).fn):
            return False
        asked.add(self.decorator_id)
        return True


def _requeue(broker: Broker, message: Any, requeue: catching_up.Requeue) -> bool:
    """Enqueue the message of this run again; return whether that went well."""
    try:
        again = message.copy(options={catching_up.SINCE: requeue.since})
        broker.enqueue(again, delay=round(requeue.seconds * 1000))
    except Exception:
        logger.exception("pindb could not put %s back: it runs now.", message)
        return False
    message.options["store_results"] = False
    return True
