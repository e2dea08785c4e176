"""The pinned set as a frozen value: DB set to its pin, and the join of two such sets.

A pin has two parts that know nothing of each other. The timed part holds until its time is up, whatever a replica
says. The positioned part is a set of marks: each holds until its time is up or the replica in question has been
replayed beyond it. A pin holds as long as any part does, so joining never ends one early.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Self

Position = Mapping[str, int]
"""How far logs have been written or replayed, by source. What is not in it is not known, never "at the start".

A source names the vendor, the server cluster and its timeline (or what the vendor has for these): after a failover, in
another cluster and at another vendor positions have other sources, so that comparing them needs no rules.
"""


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


def furthest(mine: tuple[Mark, ...], theirs: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Return for each source the furthest position and the latest end of both, in the order of the sources."""
    if not theirs or mine == theirs:
        return mine
    by_source = {mark.source: mark for mark in mine}
    for source, at, until in theirs:
        known = by_source.get(source, Mark(source, at, until))
        by_source[source] = Mark(source, max(known.at, at), max(known.until, until))
    return tuple(sorted(by_source.values()))


NO_PARTS: Final[Mapping[str, Any]] = {}


class PinSet(Mapping[str, Pin]):
    """DB set name to its pin. What it holds is never changed, for units of work and messages share it.

    The two parts are kept apart: most pins are timed, marks there are in position mode only.

    The clock is always passed in: the ends of a message are different machines, and only the caller knows which
    moment it means.
    """

    __slots__ = ("encoded", "marked", "timed")

    def __init__(
        self, timed: Mapping[str, float] = NO_PARTS, marked: Mapping[str, tuple[Mark, ...]] = NO_PARTS
    ) -> None:
        self.timed: Final = timed
        self.marked: Final = marked
        self.encoded: str | None = None  # what `wire` has made of it, kept for the next message that holds the same

    @classmethod
    def of(cls, pins: Mapping[str, Pin] | Iterable[tuple[str, Pin]]) -> Self:
        """Return the set of `pins`."""
        pins = dict(pins)
        return cls(
            {name: pin.until for name, pin in pins.items() if pin.until},
            {name: pin.marks for name, pin in pins.items() if pin.marks},
        )

    def __getitem__(self, name: str) -> Pin:
        if name not in self.timed and name not in self.marked:
            raise KeyError(name)
        return Pin(self.timed.get(name, 0.0), self.marked.get(name, ()))

    def __iter__(self) -> Iterator[str]:
        return iter({**self.timed, **self.marked} if self.marked else self.timed)

    def __len__(self) -> int:
        return len({**self.timed, **self.marked} if self.marked else self.timed)

    def __hash__(self) -> int:
        return hash(frozenset(self.items()))

    def __repr__(self) -> str:
        return f"PinSet({dict(self)!r})"

    @property
    def end(self) -> float:
        """When the last pin lapses; 0 without pins."""
        timed = max(self.timed.values(), default=0.0)
        if not self.marked:
            return timed
        return max((timed, *(mark.until for marks in self.marked.values() for mark in marks)))

    def join(self, other: PinSet) -> PinSet:
        """Return the pins of both, joined where both have one.

        Commutative, associative and idempotent, so it does not matter in which order, or how often, pins meet.
        """
        if not other.timed and not other.marked:
            return self
        if not self.timed and not self.marked:
            return other
        timed, marked = dict(self.timed), dict(self.marked)
        for name, until in other.timed.items():
            timed[name] = max(until, timed.get(name, until))
        for name, marks in other.marked.items():
            marked[name] = furthest(marked.get(name, ()), marks)
        return PinSet(timed, marked)

    def alive(self, now: float) -> PinSet:
        """Return the pins that still hold at `now`, without their parts that do not."""
        if not self.marked and (not self.timed or min(self.timed.values()) > now):
            return self  # as nearly always
        timed = {name: until for name, until in self.timed.items() if until > now}
        left = {name: tuple(mark for mark in marks if mark.until > now) for name, marks in self.marked.items()}
        marked = {name: marks for name, marks in left.items() if marks}
        same = len(timed) == len(self.timed) and marked == self.marked
        return self if same else PinSet(timed, marked)


NOTHING: Final = PinSet()
