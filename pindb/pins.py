"""The pinned set as a frozen value: DB set to its pin, and the join of two such sets.

A pin has two parts that know nothing of each other. The timed part holds until its time is up, whatever a replica
says. The positioned part is a set of marks: each holds until its time is up or the replica in question has been
replayed beyond it. A pin holds as long as any part does, so joining never ends one early.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import Final, NamedTuple, Self

EVERY: Final = "*"
"""The name that stands for all DB sets, for when it is not known which ones were written."""


class Mark(NamedTuple):
    """A point that a replica has to have replayed: `at` in the log `source`; it counts until `until`."""

    source: str
    """Names whose log: positions of two sources cannot be compared."""
    at: int
    until: float


class Pin(NamedTuple):
    """Times are UTC epoch seconds; `until` 0 is no timed part. At most one mark for a source, in their order."""

    until: float = 0.0
    marks: tuple[Mark, ...] = ()

    @property
    def end(self) -> float:
        """When nothing of it holds any more."""
        return max(self.until, *(mark.until for mark in self.marks), 0.0)

    def join(self, other: Pin) -> Pin:
        """Return the later of both, part by part, source by source."""
        if not other.marks or self.marks == other.marks:
            marks = self.marks
        else:
            by_source = {mark.source: mark for mark in self.marks}
            for source, at, until in other.marks:
                mine = by_source.get(source, Mark(source, at, until))
                by_source[source] = Mark(source, max(mine.at, at), max(mine.until, until))
            marks = tuple(sorted(by_source.values()))
        return Pin(max(self.until, other.until), marks)

    def alive(self, now: float) -> Pin | None:
        """Return the parts that still hold at `now`, None where there are none."""
        until = self.until if self.until > now else 0.0
        marks = tuple(mark for mark in self.marks if mark.until > now)
        return Pin(until, marks) if until or marks else None


class PinSet(Mapping[str, Pin]):
    """DB set name to its pin; a bare number stands for a pin with a timed part alone. Never changed once made.

    The clock is always passed in: the ends of a message are different machines, and only the caller knows which
    moment it means.
    """

    __slots__ = ("_pins",)

    def __init__(self, pins: Mapping[str, Pin | float] | Iterable[tuple[str, Pin | float]] = ()) -> None:
        self._pins: dict[str, Pin] = {
            name: pin if isinstance(pin, Pin) else Pin(float(pin)) for name, pin in dict(pins).items()
        }

    @classmethod
    def of(cls, pins: dict[str, Pin]) -> Self:
        """Return the set of `pins`, which nobody else may change: what is made for each message is made so."""
        made = cls.__new__(cls)
        made._pins = pins
        return made

    def __getitem__(self, name: str) -> Pin:
        return self._pins[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pins)

    def __len__(self) -> int:
        return len(self._pins)

    def items(self) -> ItemsView[str, Pin]:
        return self._pins.items()  # what Mapping has asks __getitem__ for each

    def values(self) -> ValuesView[Pin]:
        return self._pins.values()

    def __hash__(self) -> int:
        return hash(frozenset(self._pins.items()))

    def __repr__(self) -> str:
        return f"PinSet({self._pins!r})"

    @property
    def end(self) -> float:
        """When the last pin lapses; 0 without pins."""
        return max((pin.end for pin in self._pins.values()), default=0.0)

    def join(self, other: PinSet) -> PinSet:
        """Return the pins of both, joined where both have one.

        Commutative, associative and idempotent, so it does not matter in which order, or how often, pins meet.
        """
        if not other._pins:
            return self
        if not self._pins:
            return other
        pins = dict(self._pins)
        for name, theirs in other._pins.items():
            mine = pins.get(name)
            pins[name] = theirs if mine is None else mine.join(theirs)
        return PinSet.of(pins)

    def alive(self, now: float) -> PinSet:
        """Return the pins that still hold at `now`, without their parts that do not."""
        for each in self._pins.values():
            if each.marks or each.until <= now:
                break
        else:  # as nearly always
            return self
        alive = {name: left for name, old in self._pins.items() if (left := old.alive(now)) is not None}
        return self if alive == self._pins else PinSet.of(alive)


NOTHING: Final = PinSet()
