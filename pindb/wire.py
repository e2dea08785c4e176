"""The wire format, the same in cookie and message: `{"v": 1, "pins": {"default": 1763880015.123}}`.

A pin is the end of its timed part, or a list: that end, if there is one, then a string for each mark,
`"<source>:<position, hexadecimal>@<until>"`. Plain JSON values with string keys and no number that any broker or
serializer would change. This is the only module that knows the format.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from pindb.conf import MAX_PINNING_SECONDS
from pindb.pins import EVERY, Mark, Pin, PinSet

VERSION: Final = 1
MAX_BYTES: Final = 1024
"""Upper bound of an encoded set as JSON. RabbitMQ loses a message whose headers outgrow its frame, silently."""

MAX_NAME: Final = 255
MARK: Final = re.compile(r"([a-z][A-Za-z0-9_.-]{0,47}):([0-9a-f]{1,16})@([0-9]{1,11})", re.ASCII)


class WireError(ValueError):
    """What came in cannot be read: damaged, too large, or not written by pindb."""


class NewerVersionError(WireError):
    """What came in was written by a newer pindb, during a rolling deploy for example."""


def encode(pins: PinSet) -> dict[str, Any]:
    """Return `pins` as a fresh JSON-able value of at most `MAX_BYTES`.

    Where they do not fit, one timed pin on every DB set until the last `until` says more than was meant, never less.
    """
    value: dict[str, Any] = {}
    # What JSON makes of a character is at most 12 long; only where that bound is not kept is it worth measuring.
    room = MAX_BYTES - 24
    for name, pin in pins.items():
        value[name] = _marked(pin) if pin.marks else _rounded(pin.until)
        room -= len(name) * 12 + 26 + len(pin.marks) * 96
    message = {"v": VERSION, "pins": value}
    if room < 0 and len(json.dumps(message, separators=(",", ":"))) > MAX_BYTES:
        message["pins"] = {EVERY: _rounded(pins.end)}
    return message


def decode(value: object, now: float) -> PinSet:
    """Return the pins that `value` holds, lapsed ones included; raises `WireError` for anything not from `encode`."""
    if not isinstance(value, dict):
        raise WireError(f"expected a dict, got {type(value).__name__}")
    version = value.get("v")
    if type(version) is not int or version < 1:
        raise WireError("no version")
    if version > VERSION:
        raise NewerVersionError(f"version {version}, this pindb reads up to {VERSION}")
    pins = value.get("pins")
    if not isinstance(pins, dict) or len(pins) * 16 > MAX_BYTES:
        raise WireError("no pins, or too many")
    latest = now + MAX_PINNING_SECONDS + 60
    decoded: dict[str, Pin] = {}
    for name, pin in pins.items():
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            raise WireError("a pin's name is not an alias")
        decoded[name] = _marks(pin, latest) if isinstance(pin, list) else Pin(_time(pin, latest))
    return PinSet.of(decoded)


def _marks(value: list[object], latest: float) -> Pin:
    # No broker turns lists into tuples or strings into bytes; what does is not one that we know.
    if not 0 < len(value) <= MAX_BYTES // 16:
        raise WireError("a pin of no parts, or too many")
    until, texts = (0.0, value) if isinstance(value[0], str) else (_time(value[0], latest), value[1:])
    pin = Pin(until)
    for text in texts:
        match = MARK.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise WireError("a pin's mark is not a position")
        source, at, end = match.groups()
        pin = pin.join(Pin(marks=(Mark(source, int(at, 16), _time(int(end), latest)),)))
    return pin


def _time(value: object, latest: float) -> float:
    if type(value) is float and -1 < value < latest:
        return value
    if type(value) is int and -1 < value < latest:
        return float(value)
    raise WireError("a pin's time is not a time, or too far off")


def _marked(pin: Pin) -> list[Any]:
    marks = [f"{mark.source}:{mark.at:x}@{math.ceil(mark.until)}" for mark in pin.marks]
    return [_rounded(pin.until), *marks] if pin.until else marks


def _rounded(until: float) -> float:
    """Round to milliseconds: 14 characters instead of 18. Rounding again changes nothing, however many hops follow.

    This takes a third of the time of `round(until, 3)`.
    """
    return int(until * 1000 + 0.5) / 1000
