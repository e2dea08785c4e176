"""`WorkSummary`: how a unit of work has read, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pindb.core.unit_of_work import UnitOfWork
from pindb.routing.decision import ReadKind, Reason


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
    reads: Mapping[ReadKind, int]
    """How many reads there were, by DB set, role, reason, and whether shadow mode kept them on the master."""
    reason: Reason | None
    """What sent the first read to a master; None if none went there."""

    def reads_of(self, role: str) -> int:
        """Return how many reads were of "replica" or "master"; in shadow mode: would have been."""
        return sum(count for kind, count in self.reads.items() if kind.role == role)


FROM_CALLER: Final = (Reason.PINNED_BY_CALLER, Reason.WAITING_FOR_POSITION)
ON_THE_WAY: Final = (Reason.PINNED_BY_WRITE, Reason.PINNED_BY_HAND)


def summary_of(unit: UnitOfWork, kind: str, name: str) -> WorkSummary:
    """Return how `unit` has read since somebody observes."""
    reads = {read: count for read, (count,) in list((unit.reads or {}).items())}
    managed = [read for read in reads if read.role != "unmanaged"]
    reasons = [read.reason for read in managed if read.role == "master"]
    if unit.newly_pinned or any(reason in ON_THE_WAY for reason in reasons):
        outcome = Outcome.PINNED_ON_THE_WAY
    elif not managed:
        outcome = Outcome.NO_READS
    elif not reasons:
        outcome = Outcome.ALL_ON_REPLICA
    else:
        outcome = Outcome.ON_MASTER
    if managed and managed[0].reason in FROM_CALLER:
        outcome = Outcome.PINNED_FROM_START
    return WorkSummary(kind, name, outcome, reads, reasons[0] if reasons else None)
