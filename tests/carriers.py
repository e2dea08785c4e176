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


def set_cookies(response: Any, base: str = "pindb_pinned_set") -> list[Any]:
    """Return the cookies of pindb that a response sets, without those that it deletes."""
    ours = [morsel for name, morsel in response.cookies.items() if name == base or name.startswith(f"{base}.")]
    return [morsel for morsel in ours if morsel.value]


def set_cookie(response: Any, base: str = "pindb_pinned_set") -> Any:
    """Return the one cookie of pindb that a response sets."""
    (morsel,) = set_cookies(response, base)
    return morsel
