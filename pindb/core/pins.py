"""The pinned set as a frozen value: it maps DB sets to their pins, and two of them can be joined.

A pin has two parts, which are joined apart. The timed part holds until its time is up, whatever a replica has replayed.
The positioned part is a set of log positions. Each holds until it expires, or until the replica in question has passed
it. A pin holds as long as one of its parts does, so joining never ends a pin early.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple, Self

Position = Mapping[str, int]
"""How far logs have been written or replayed: log to offset. A log that is not in it is unknown, not at its start.

The name of a log contains the vendor, the server cluster and its timeline (or what the vendor has in their place).
After a failover, in another cluster and at another vendor a log has another name, so comparing needs no more rules.
"""


class PinnedBy(Enum):
    """How a unit of work came to a pin."""

    WRITE = "write"
    """It has written, or has asked the router where to write."""
    HAND = "hand"
    """It has called `pin()`."""
    CALLER = "caller"
    """A carrier brought the pin in, or the result of a task that this unit of work has waited for."""


class Origin(NamedTuple):
    """Where a pin comes from. `where` is a line of code or a carrier; "" if nobody has asked for it."""

    by: PinnedBy
    where: str = ""


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
    """Maps the name of a DB set to its pin. It never changes, because units of work and messages share it.

    The two parts are stored apart: most pins are timed, and only position mode makes positioned ones.

    The caller always passes the time: the two ends of a carrier are different machines, and only the caller knows which
    moment it means.
    """

    __slots__ = ("encoded", "positioned", "timed")

    def __init__(
        self, timed: Mapping[str, float] = NO_PARTS, positioned: Mapping[str, tuple[PinnedPosition, ...]] = NO_PARTS
    ) -> None:
        self.timed: Final = timed
        self.positioned: Final = positioned
        self.encoded: str | None = None  # the text that `codec` has made of it, for the next carrier of the same pins

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
        """Return the pins of both sets, joined where both have one.

        The join is commutative, associative and idempotent: the order in which pins meet, and how often, changes
        nothing.
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

    def as_timed(self, until: float) -> PinSet:
        """Return the same pins without log positions: a pin that had one holds at least `until`."""
        return PinSet(dict.fromkeys(self.positioned, until)).join(PinSet(self.timed))

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
