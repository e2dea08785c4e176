"""What a message holds under pindb's key, for tests that make one by hand."""

from __future__ import annotations

import time
from typing import Any

from pindb.core import codec
from pindb.core.pins import PinSet

NOTHING_PINNED = "1"
DAY = 86400.0


def carrying(**seconds_left: float) -> str:
    """Return what a message holds that pins these DB sets for so long, as pindb writes it."""
    return codec.encode(PinSet({name: time.time() + seconds for name, seconds in seconds_left.items()}))


def pins_of(value: Any) -> PinSet:
    """Return the pins that a message holds."""
    return codec.decode(value, time.time())
