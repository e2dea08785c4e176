"""Tokens: the pins of a unit of work as short signed text, for transports that pindb does not know.

A WebSocket, a webhook, a queue without an adapter, a file that a cron job reads: the sender adds a token, the receiver
observes it.
"""

from __future__ import annotations

import time
from typing import Final

from pindb import interrupts
from pindb.config.database_sets import current_config
from pindb.config.settings import MAX_PINNING_SECONDS
from pindb.core import codec
from pindb.core.frames import current_frame
from pindb.core.pins import Origin, PinnedBy
from pindb.propagation.carriers import Carrier, Signed, pin_everything
from pindb.propagation.failures import log_failure
from pindb.propagation.messages import outgoing

TOKEN: Final = Carrier("token", "reader", unknown_sets_pin_all=False)
FROM_TOKEN: Final = Origin(PinnedBy.CALLER, TOKEN.name)
SIGNED: Final = Signed("pindb.token", TOKEN.name)


def token() -> str:
    """Return what this unit of work hands on, as short signed text: ASCII, safe in URLs and headers.

        socket.send_json({"order": order.pk, "pindb": pindb.token()})

    Take it after the write has been committed: inside a transaction nothing has happened yet. It is "" if pindb is
    disabled. Only a site with the same `SECRET_KEY` can read it.
    """
    text = outgoing()
    return "" if text is None else SIGNED.sign(text)


def observe(token: str) -> None:
    """Read from here on what the unit of work that made `token` had written.

        with pindb.pinning_context():
            pindb.observe(message["pindb"])
            order = Order.objects.get(pk=message["order"])

    The pins are added to those of this unit of work, and are handed on as if a message had brought them in. A token
    that is forged, damaged or lapsed, or no token at all, changes nothing. If pindb fails, all DB sets are pinned.
    """
    seconds: float = MAX_PINNING_SECONDS
    try:
        config = current_config()
        seconds = config.settings.pinning_seconds
        text = SIGNED.text_of(token) if config.settings.enabled else None
        if text is None:
            return
        unit = current_frame().unit
        unit.inherit(TOKEN.read(text, config, time.time()), FROM_TOKEN)
        if config.rollout.is_partial and (draw := codec.draw_in(text)) is not None:
            unit.draw = draw
    except interrupts.types:
        raise
    except Exception:
        log_failure("pindb could not observe a token: its reader reads masters.")
        current_frame().unit.inherit(pin_everything(time.time() + seconds), FROM_TOKEN)
