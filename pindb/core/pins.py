"""The pinned set as a frozen value: DB set to its pin, and the join of two such sets.

A pin has two parts that know nothing of each other. The timed part holds until its time is up, whatever a replica
says. The positioned part is a set of positions: each holds until its time is up or the replica in question has been
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


class PinnedPosition(NamedTuple):
    """A position that a replica has to have replayed: `offset` in `log`. It counts until `expires_at`."""

    log: str
    """Which log: positions in two logs cannot be compared."""
    offset: int
    expires_at: float


class Pin(NamedTuple):
    """Times are UTC epoch seconds; `until` 0 is no timed part. At most one position a log, in the order of the logs."""

    until: float = 0.0
    positions: tuple[PinnedPosition, ...] = ()


def merge_positions(mine: tuple[PinnedPosition, ...], theirs: tuple[PinnedPosition, ...]) -> tuple[PinnedPosition, ...]:
    """Return, for each log of both, the furthest position and the latest expiry, in the order of the logs."""
    if not theirs or mine == theirs:
        return mine
    by_log = {pinned.log: pinned for pinned in mine}
    for log, offset, expires_at in theirs:
        known = by_log.get(log, PinnedPosition(log, offset, expires_at))
        by_log[log] = PinnedPosition(log, max(known.offset, offset), max(known.expires_at, expires_at))
    return tuple(sorted(by_log.values()))


NO_PARTS: Final[Mapping[str, Any]] = {}


class PinSet(Mapping[str, Pin]):
    """DB set name to its pin. What it holds is never changed, for units of work and messages share it.

    The two parts are kept apart: most pins are timed, positions there are in position mode only.

    The clock is always passed in: the ends of a message are different machines, and only the caller knows which
    moment it means.
    """

    __slots__ = ("encoded", "positioned", "timed")

    def __init__(
        self, timed: Mapping[str, float] = NO_PARTS, positioned: Mapping[str, tuple[PinnedPosition, ...]] = NO_PARTS
    ) -> None:
        self.timed: Final = timed
        self.positioned: Final = positioned
        self.encoded: str | None = None  # what `wire` has made of it, kept for the next message that holds the same

    @classmethod
    def of(cls, pins: Mapping[str, Pin] | Iterable[tuple[str, Pin]]) -> Self:
        """Return the set of `pins`."""
        pins = dict(pins)
        return cls(
            {name: pin.until for name, pin in pins.items() if pin.until},
            {name: pin.positions for name, pin in pins.items() if pin.positions},
        )

    def __getitem__(self, name: str) -> Pin:
        if name not in self.timed and name not in self.positioned:
            raise KeyError(name)
        return Pin(self.timed.get(name, 0.0), self.positioned.get(name, ()))

    def __iter__(self) -> Iterator[str]:
        return iter({**self.timed, **self.positioned} if self.positioned else self.timed)

    def __len__(self) -> int:
        return len({**self.timed, **self.positioned} if self.positioned else self.timed)

    def __hash__(self) -> int:
        return hash(frozenset(self.items()))

    def __repr__(self) -> str:
        return f"PinSet({dict(self)!r})"

    @property
    def end(self) -> float:
        """When the last pin lapses; 0 without pins."""
        timed = max(self.timed.values(), default=0.0)
        if not self.positioned:
            return timed
        return max((timed, *(pinned.expires_at for positions in self.positioned.values() for pinned in positions)))

    def join(self, other: PinSet) -> PinSet:
        """Return the pins of both, joined where both have one.

        Commutative, associative and idempotent, so it does not matter in which order, or how often, pins meet.
        """
        if not other.timed and not other.positioned:
            return self
        if not self.timed and not self.positioned:
            return other
        timed, positioned = dict(self.timed), dict(self.positioned)
        for name, until in other.timed.items():
            timed[name] = max(until, timed.get(name, until))
        for name, positions in other.positioned.items():
            positioned[name] = merge_positions(positioned.get(name, ()), positions)
        return PinSet(timed, positioned)

    def alive(self, now: float) -> PinSet:
        """Return the pins that still hold at `now`, without their parts that do not."""
        if not self.positioned and (not self.timed or min(self.timed.values()) > now):
            return self  # as nearly always
        timed = {name: until for name, until in self.timed.items() if until > now}
        left = {
            name: tuple(pinned for pinned in positions if pinned.expires_at > now)
            for name, positions in self.positioned.items()
        }
        positioned = {name: positions for name, positions in left.items() if positions}
        same = len(timed) == len(self.timed) and positioned == self.positioned
        return self if same else PinSet(timed, positioned)


NOTHING: Final = PinSet()
