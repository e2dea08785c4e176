"""The text of a message that is a row in a database: no worker sees it before its transaction commits."""

from __future__ import annotations

import math
import time
from typing import Any

from django.db import connections

from pindb import interrupts
from pindb.adapters.base import NULL_HEADER, logger
from pindb.config.database_sets import current_config
from pindb.core import codec
from pindb.core.frames import current_frame
from pindb.core.pins import PinSet
from pindb.propagation import outgoing
from pindb.propagation.handoff import writes_to_come


def outgoing_in_row(using: str, existing: object = None) -> Any:
    """Return `outgoing(existing)` for a message that is a row in the database with the alias `using`.

    The clock of a pin starts here, but nobody knows when an open transaction commits. So a new pin holds for
    PINDB_POSITION_SECONDS then, as a pin with a log position does, rather than for PINDB_PINNING_SECONDS.
    """
    pins = outgoing(existing)
    try:
        if pins is None or connections[using].get_autocommit():
            return pins
        config, unit, now = current_config(), current_frame().unit, time.time()
        new = unit.newly_pinned | writes_to_come(config, unit)
        if not new:
            return pins
        until = math.ceil(now + config.settings.position_seconds)
        longer = codec.decode(pins, now).join(PinSet(dict.fromkeys(new, until)))
        return codec.encode(longer, codec.draw_in(pins))
    except codec.WireError:
        return pins  # its task reads masters
    except interrupts.types:
        raise
    except Exception:
        logger.exception("pindb could not tell whether a transaction is open: the task of the message reads masters.")
        return NULL_HEADER
