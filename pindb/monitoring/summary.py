"""`WorkSummary`: how a unit of work has read, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pindb.core.unit_of_work import UnitOfWork
from pindb.routing.decision import ReadCount, Reason


class Outcome(Enum):
    """How a unit of work went."""

    ALL_ON_REPLICA = "all_on_replica"
    """All its reads used replicas."""
    PINNED_FROM_START = "pinned_from_start"
    """Its caller's pins sent its first read to a master."""
    PINNED_ON_THE_WAY = "pinned_on_the_way"
    """It has written, or has called `pin()`."""
    ON_MASTER = "on_master"
    """Something else than a pin sent reads to a master: a transaction, an override, the mode, a lack of replicas."""
    NO_READS = "no_reads"
    """It has read no DB set."""


@dataclass(frozen=True, slots=True)
class WorkSummary:
    """How a unit of work has read. A read counts once for each question to the router."""

    kind: str
    """"request", "task" or "other"."""
    name: str
    """The name of the view or the task; "" if there is none."""
    outcome: Outcome
    """How it went. Its `value` is the word that metrics and the log have."""
    reads: tuple[ReadCount, ...]
    """How many reads there were by DB set and reason, in the order of the first ones."""

    @property
    def reason(self) -> Reason | None:
        """What sent the first read to a master; None if none went there."""
        return next((read.reason for read in self.reads if read.role == "master"), None)

    def reads_of(self, role: str) -> int:
        """Return how many reads were of "replica" or "master"; in shadow mode: would have been."""
        return sum(read.count for read in self.reads if read.role == role)


def summary_of(unit: UnitOfWork, kind: str, name: str) -> WorkSummary:
    """Return how `unit` has read since somebody observes."""
    reads = () if unit.reads is None else tuple(unit.reads)
    return WorkSummary(kind, name, _outcome(unit, reads), reads)


def _outcome(unit: UnitOfWork, reads: tuple[ReadCount, ...]) -> Outcome:
    outcome = Outcome.NO_READS
    for read in reads:
        reason = read.reason
        if outcome is Outcome.NO_READS:
            if reason is Reason.PINNED_BY_CALLER or reason is Reason.WAITING_FOR_POSITION:
                return Outcome.PINNED_FROM_START
            if reason is not Reason.UNMANAGED:
                outcome = Outcome.ALL_ON_REPLICA
        if reason is Reason.PINNED_BY_WRITE or reason is Reason.PINNED_BY_HAND:
            return Outcome.PINNED_ON_THE_WAY
        if read.role == "master":
            outcome = Outcome.ON_MASTER
    return Outcome.PINNED_ON_THE_WAY if unit.pins_made or unit.open_writes else outcome
