"""`--cookie`: whether this process can read a cookie or a token, what it holds, and why it cannot be read."""

from __future__ import annotations

import time
import zlib
from typing import Final, NamedTuple
from urllib.parse import unquote

from django.core.signing import BadSignature, Signer

from pindb.config.database_sets import ALL_SETS, Config
from pindb.core import codec
from pindb.core.pins import Pin, PinSet
from pindb.management.doctor.findings import Findings, ok, unwise, wrong
from pindb.management.doctor.web import fingerprint, keys
from pindb.propagation import tokens
from pindb.propagation.carriers import MAX_SIGNED_BYTES
from pindb.web import cookie

KINDS: Final = {"cookie": cookie.SIGNED, "token": tokens.SIGNED}
COPY_AGAIN: Final = "Copy the whole value of the cookie: two parts with a colon between them."


class Signature(NamedTuple):
    """Who has signed a value: as what, with which of this process's keys, and the text that it signs."""

    kind: str
    key: int
    text: object


def carried(value: str, config: Config, now: float) -> Findings:
    """Say what `value`, copied from a browser with or without its name, means to this process at `now`."""
    value = bare(value)
    if len(value) > MAX_SIGNED_BYTES:
        yield wrong(f"The cookie has {len(value)} characters, which none of pindb's has: it is ignored.", COPY_AGAIN)
    elif ":" not in value:
        yield wrong(f"{value[:40]!r} is no cookie of pindb: it has no signature.", COPY_AGAIN)
    elif (signature := _signature(value)) is not None:
        yield from _signed(signature, config, now)
    else:
        yield from _signed_by_others(value, now)


def bare(value: str) -> str:
    """Return the value alone of a line such as `pindb_pinned_set.0a1b2c3d=eyJ...:x9Y...; Path=/`."""
    return unquote(value.strip().partition(";")[0].rpartition("=")[2].strip(" \"'"))


def _signature(value: str) -> Signature | None:
    for kind, signed in KINDS.items():
        for number, key in enumerate(keys()):
            try:
                text = Signer(key=key, salt=signed.salt, fallback_keys=[]).unsign_object(value)
            except (BadSignature, ValueError, zlib.error):
                continue
            return Signature(kind, number, text)
    return None


def _signed(signature: Signature, config: Config, now: float) -> Findings:
    kind, number, text = signature
    by = f"SECRET_KEY_FALLBACKS[{number - 1}]" if number else "SECRET_KEY"
    try:
        pins = codec.decode(text, now)
    except codec.NewerVersionError as error:
        yield unwise(
            f"A newer pindb has written the {kind} ({error}): a request that brings it reads masters.",
            "Have all processes run one version of pindb.",
        )
        return
    except codec.WireError as error:
        yield unwise(f"The pins of the {kind} cannot be read ({error}): a request that brings it reads masters.",
                     "Delete it in the browser.")  # fmt: skip
        return
    alive = pins.alive(now)
    holds = _texts(alive, now) if alive else _lapsed(pins, now)
    yield ok(f"This process can read the {kind}, which {by} has signed. It {holds}")
    unknown = sorted(name for name in alive if name not in config.names)
    if unknown:
        yield unwise(
            f"The {kind} pins {', '.join(map(repr, unknown))}, which this process does not know.",
            "Give all processes the same MASTER_DATABASES, DATABASE_SETS and PINDB_SEPARATE_PINS.",
        )


def _signed_by_others(value: str, now: float) -> Findings:
    """Say of a value that none of this process's keys has signed whether it is whole, and what it claims to hold."""
    try:
        pins = codec.decode(_Unsigned().unsign_object(value), now)
    except (BadSignature, ValueError, zlib.error):
        yield wrong("The cookie is damaged or cut off, or it is not of pindb: it is ignored.", COPY_AGAIN)
        return
    ours = [fingerprint(key) for key in keys()]
    holds = _texts(pins.alive(now), now) if pins.alive(now) else _lapsed(pins, now)
    yield wrong(
        f"Another key has signed the cookie than {'those' if ours[1:] else 'that'} of this process "
        f"({', '.join(ours)}). So it is ignored, and reads may be old. If it is genuine, it {holds}",
        "Give all web processes one SECRET_KEY. While a key is being replaced, list the other one in "
        "SECRET_KEY_FALLBACKS in all of them.",
    )


class _Unsigned(Signer):
    """Reads a signed object without looking at its signature."""

    def __init__(self) -> None:
        super().__init__(salt="pindb.doctor")

    def unsign(self, signed_value: str) -> str:
        return signed_value.rpartition(self.sep)[0]


def _texts(pins: PinSet, now: float) -> str:
    return f"pins {'; '.join(_text(name, pin, now) for name, pin in pins.items())}."


def _text(name: str, pin: Pin, now: float) -> str:
    parts = [f"for {pin.until - now:.1f} s more"] if pin.until else []
    parts += [
        f"until a replica has {log}:{offset:x}, at most {end - now:.0f} s more" for log, offset, end in pin.positions
    ]
    return f"{'every DB set' if name == ALL_SETS else repr(name)} {' and '.join(parts)}"


def _lapsed(pins: PinSet, now: float) -> str:
    if not pins:
        return "pins nothing."
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(pins.end))
    return (
        f"pins nothing any more: its last pin lapsed {now - pins.end:.1f} s ago, at {at} UTC by this machine's clock."
    )
