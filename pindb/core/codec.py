"""The wire format, the same for every carrier: `1;default=1763880015123;audit=pA.1:5f@1763880100`.

The version comes first, then the parts of the pins in any order. A part is the name of a DB set, quoted as in a URL,
and one of two values: the end of a timed part in milliseconds (13 digits: 2001 to 2286), or a log position,
`<log>:<offset, in hex>@<expiry, in seconds>`. A part whose name starts with "!" is no pin: `!share` is the number that
the causal chain has drawn, others are for later. The text is ASCII, which no broker, serializer or browser changes. No
other module knows the format.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote

from pindb.config.database_sets import ALL_SETS
from pindb.config.settings import MAX_PINNING_SECONDS
from pindb.core.pins import PinnedPosition, PinSet, merge_positions

VERSION: Final = "1"
MAX_BYTES: Final = 1024
"""The longest encoded set, as JSON. RabbitMQ silently loses a message whose headers are larger than its frame."""

CACHE_SIZE: Final = 256
"""How many texts that were read are cached with their pins."""

POSITION: Final = re.compile(r"([a-z][A-Za-z0-9_.-]{0,47}):([0-9a-f]{1,16})@([0-9]{1,11})")


class WireError(ValueError):
    """A text cannot be read: it is damaged, too large, or not written by pindb."""


class NewerVersionError(WireError):
    """A text was written by a newer pindb, for example during a rolling deploy."""


DRAW: Final = "!share"
DRAW_BYTES: Final = len(f";{DRAW}=9999")


def encode(pins: PinSet, draw: int | None = None) -> str:
    """Return `pins` as text that takes at most `MAX_BYTES` as JSON, with the draw of the causal chain if there is one.

    Pins that do not fit become one timed pin on every DB set until the last of them ends: more pins, never fewer.
    """
    if pins.encoded is None:
        pins.encoded = _encoded(pins)
    return pins.encoded if draw is None else f"{pins.encoded};{DRAW}={draw}"


def draw_in(value: object) -> int | None:
    """Return the draw in a text, None if it holds none that can be read."""
    try:
        return _decoded(value)[2] if isinstance(value, str) else None
    except WireError:
        return None


def _encoded(pins: PinSet) -> str:
    text = VERSION
    for name, until in pins.timed.items():
        # Rounded to milliseconds: rounding again changes nothing, however many hops follow.
        text += f";{_quoted(name)}={int(until * 1000 + 0.5)}"
    for name, positions in pins.positioned.items():
        for log, offset, expires_at in positions:
            text += f";{_quoted(name)}={log}:{offset:x}@{math.ceil(expires_at)}"
    return text if len(text) <= MAX_BYTES - 2 - DRAW_BYTES else encode(PinSet({ALL_SETS: pins.end}))


def decode(value: object, now: float) -> PinSet:
    """Return the pins in `value`, lapsed ones too. Raises `WireError` for a text that `encode` has not written."""
    if not isinstance(value, str):
        raise WireError(f"expected text, got {type(value).__name__}")
    pins, end, _ = _decoded(value)
    if end > now + MAX_PINNING_SECONDS + 60:
        raise WireError("a pin's end is too far off")
    return pins


def is_newer(value: object) -> bool:
    """Return whether a newer pindb has written `value`."""
    version = value.partition(";")[0] if isinstance(value, str) else ""
    return version.isascii() and version.isdecimal() and int(version) > int(VERSION)


@lru_cache(CACHE_SIZE)
def _decoded(value: str) -> tuple[PinSet, float, int | None]:
    """Return the pins in `value`, when the last of them ends, and the draw.

    Messages published in a row mostly hold the same text.
    """
    if len(value) > MAX_BYTES or not value.isascii():
        raise WireError("too long, or not ASCII")
    version, *parts = value.split(";")
    if version != VERSION:
        if is_newer(value):
            raise NewerVersionError(f"version {version[:9]}, this pindb reads up to {VERSION}")
        raise WireError("no version")
    timed: dict[str, float] = {}
    positioned: dict[str, tuple[PinnedPosition, ...]] = {}
    draw = None
    for part in parts:
        name, _, pin = part.partition("=")
        if not name:
            raise WireError("a pin without a name")
        if name.startswith("!"):
            if name == DRAW:
                if draw is not None or not re.fullmatch("[0-9]{1,4}", pin):
                    raise WireError("two draws, or one that is none")
                draw = int(pin)
            continue
        if "%" in name:
            name = unquote(name)
        if len(pin) == 13 and pin.isdecimal():
            if name in timed:
                raise WireError("two times for one DB set")
            timed[name] = int(pin) / 1000
        else:
            positioned[name] = merge_positions(positioned.get(name, ()), (_pinned_position(pin),))
    pins = PinSet(timed, positioned)
    return pins, pins.end, draw


def _pinned_position(text: str) -> PinnedPosition:
    match = POSITION.fullmatch(text)
    if match is None:
        raise WireError("a pin is neither a time nor a position")
    log, offset, expires_at = match.groups()
    return PinnedPosition(log, int(offset, 16), float(expires_at))


@lru_cache(maxsize=1024)
def _quoted(name: str) -> str:
    return quote(name, safe="*", errors="replace")
