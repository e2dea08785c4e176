"""`Carrier`: how the pins of a message or a cookie are read. Each rule for what cannot be read stands here once."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from django.apps import apps
from django.core.signing import BadSignature, Signer

from pindb import events
from pindb.config.database_sets import ALL_SETS, Config
from pindb.core import codec
from pindb.core.pins import NOTHING, Pin, PinSet
from pindb.once import Once

logger: Final = logging.getLogger("pindb")


class Signed:
    """Text that only this site can have written: Django's signing, with a salt of its own, safe in URLs and headers."""

    def __init__(self, salt: str, carrier: str) -> None:
        self.salt: Final = salt
        self.carrier: Final = carrier

    def sign(self, text: str) -> str:
        """Return `text`, signed."""
        return Signer(salt=self.salt).sign_object(text)

    def text_of(self, value: object) -> object:
        """Return the text in `value`; None where this site did not sign it."""
        if not isinstance(value, str) or not value or len(value) > MAX_SIGNED_BYTES:
            return None
        try:
            return Signer(salt=self.salt).unsign_object(value)
        except (BadSignature, ValueError, zlib.error):
            events.tell(events.Observer.carrier_refused, self.carrier, "forged")
            return None


MAX_SIGNED_BYTES: Final = 2 * codec.MAX_BYTES
"""The longest signed text, in base64. A longer one is ignored."""

NOTHING_PINNED: Final = codec.encode(NOTHING)
"""The text of a carrier that hands on nothing."""

UNREADABLE: Final = "unreadable"
"""A text that no pindb can read: its reader uses masters."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """One kind of carrier. `name` and `reader` are its words in the log: a "message" is read by a "task"."""

    name: str
    reader: str
    unknown_sets_pin_all: bool
    """Whether a DB set that this process does not know pins all that it knows, instead of being handed on only."""

    def read(self, text: object, config: Config, now: float) -> PinSet:
        """Return the pins in `text` that still hold at `now`; every DB set where the text cannot be read."""
        try:
            pins = codec.decode(text, now).alive(now)
        except codec.NewerVersionError as error:
            events.tell(events.Observer.carrier_refused, self.name, "newer version")
            self.warn_once(f"A {self.name} was written by a newer pindb ({error}): its {self.reader} reads masters")
        except codec.WireError as error:
            events.tell(events.Observer.carrier_refused, self.name, "unreadable")
            if text != UNREADABLE:  # else the writer has logged why
                logger.warning(
                    "The pins of a %s cannot be read (%s): its %s reads masters.", self.name, error, self.reader
                )
        else:
            known = config.names.issuperset(pins.timed) and config.names.issuperset(pins.positioned)
            return pins if known else self.with_unknown(pins, config, now)
        return pin_everything(now + config.settings.pinning_seconds)

    def with_unknown(self, pins: PinSet, config: Config, now: float) -> PinSet:
        """Return `pins`, and what those mean that this process does not know."""
        unknown = [name for name in pins if name not in config.names]
        pins = pins.join(PinSet.of(_whole_sets(unknown, pins, config)))
        sets = sorted(name for name in unknown if name.rpartition(".")[0] not in config.sets)
        if sets and self.unknown_sets_pin_all:
            self.warn_once(
                f"A {self.name} pins {sets}, which this process does not know as DB sets: its {self.reader} reads "
                "masters"
            )
            return pins.join(pin_everything(now + config.settings.pinning_seconds))
        return pins

    def warn_once(self, problem: str) -> None:
        """Log a warning once in this process: the same holds for every carrier of a rolling deploy."""
        if warned.first_time(problem):
            logger.warning("%s. Logged once per process.", problem)


def _whole_sets(unknown: Iterable[str], pins: PinSet, config: Config) -> Iterator[tuple[str, Pin]]:
    """Produce the pins of DB sets of which `unknown` has a part: the other process treats a table apart.

    A part whose app is not installed here has no table that this process reads.
    """
    for name in unknown:
        whole, _, app_label = name.rpartition(".")
        if whole in config.sets and app_label in apps.app_configs:
            yield whole, pins[name]


warned: Final = Once()
"""The warnings that this process has logged."""


def pin_everything(until: float) -> PinSet:
    """Return the pins of a unit of work of which nobody can tell what was written before it: every DB set, `until`."""
    return PinSet({ALL_SETS: until})
