"""What is counted: the figures of a set of tasks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.demo.rounds import RoundResult, reads_on_master, reads_on_replicas
from tests.shop.seen import Outcome


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of some tasks of a round."""

    tasks: int
    stale: int
    """Tasks that did not see what their caller had written: the row was missing or old."""
    failed: int
    """Tasks that found no row, to the last retry: there `Order.objects.get()` raises `DoesNotExist`."""
    retries: int
    on_replicas: float
    """The share of the reads."""
    median: float
    """Seconds from the publication to the end, as `late`."""
    late: float
    """The 99th percentile."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A contender's figures at one lag, in seconds: for the tasks after a write, and for the mix, all tasks."""

    contender: str
    lag: float
    after_write: Figures
    mix: Figures


def figures(tasks: Sequence[Outcome]) -> Figures:
    """Return the figures of these tasks."""
    round_ = RoundResult("", tuple(tasks), ())
    replicas, masters = reads_on_replicas(tasks), reads_on_master(tasks)
    seconds = sorted(task["seconds"] for task in tasks)
    return Figures(
        tasks=len(tasks),
        stale=round_.stale,
        failed=round_.read_nothing,
        retries=sum(task["retries"] for task in tasks),
        on_replicas=replicas / (replicas + masters),
        median=statistics.median(seconds),
        late=seconds[math.ceil(0.99 * len(seconds)) - 1],
    )
