"""`Figures`: what the records of a run add up to, for one kind of unit of work."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from tests.journeys.records import SESSIONS, Read, Unit


class Timeline(Protocol):
    """When replicas had replayed what."""

    def had_replayed(self, position: int, by: float) -> bool:
        """Tell whether any replica had replayed `position` at the time `by`."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        """Return it in percent; None of nothing."""
        return round(100 * self.part / self.whole, 1) if self.whole else None

    def __str__(self) -> str:
        return f"{100 * self.part / self.whole:.1f} %" if self.whole else "-"


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured."""

    units: int
    reads: Share
    """Reads on replicas, of all reads."""
    but_sessions: Share
    """The same without the sessions' tables."""
    allowed: Share
    """Reads on replicas, of those that G5 allows there."""
    unannounced: Share
    """The same, without those after Django has asked where to write."""
    same: Share
    """Reads on the master that every replica would have answered the same, of all that were compared."""
    refused: dict[str, int]
    """How many reads that G5 allows ran on the master, by request and table."""
    started_after: float | None
    """Tasks: how many seconds after they were enqueued, the median."""
    stale: int
    """Reads on a replica that missed a write of their chain, and requests and tasks that noticed that something was
    missing."""


def figures(units: Iterable[Unit], timeline: Timeline, wait: float, missed: int = 0) -> Figures:
    """Add up the records. A read may wait so many seconds for a replica; browsers missed something so many times."""
    units = list(units)
    reads = [read for unit in units for read in unit.reads]
    starts = [unit.started_after for unit in units if unit.started_after is not None]
    allowed = [(unit, read) for unit in units for read in allowed_reads(unit, timeline, wait)]
    return Figures(
        units=len(units),
        reads=_on_replicas(reads),
        but_sessions=_on_replicas(read for read in reads if read.place != SESSIONS),
        allowed=_on_replicas(read for _, read in allowed),
        unannounced=_on_replicas(read for _, read in allowed if not read.after_question),
        same=Share(sum(read.same is True for read in reads), sum(read.same is not None for read in reads)),
        refused=dict(Counter(_place_of(unit, read) for unit, read in allowed if not read.on_replica).most_common()),
        started_after=median(starts) if starts else None,
        stale=sum(read.stale for read in reads) + sum(len(unit.missed) for unit in units) + missed,
    )


def allowed_reads(unit: Unit, timeline: Timeline, wait: float) -> Iterator[Read]:
    """Produce the reads that G5 allows on a replica.

    They are outside transactions, and the unit of work has not written to their place before. A replica has what the
    unit of work needs of that place, or gets it within `wait`. The first such read decides that for all that follow.
    """
    has: dict[str, bool] = {}
    for read in unit.reads:
        if read.in_transaction or read.after_write:
            continue
        if read.place not in has:
            needed = unit.needs.get(read.place, 0)
            has[read.place] = not needed or timeline.had_replayed(needed, read.at + wait)
        if has[read.place]:
            yield read


def _place_of(unit: Unit, read: Read) -> str:
    place = f"{re.sub('[0-9]+', 'N', unit.name)}: {read.table}"
    return f"{place}, after Django has asked where to write" if read.after_question else place


def _on_replicas(reads: Iterable[Read]) -> Share:
    places = [read.on_replica for read in reads]
    return Share(sum(places), len(places))
