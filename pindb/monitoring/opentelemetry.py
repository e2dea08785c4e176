"""Metrics and span attributes through the OpenTelemetry API: `PINDB_OPENTELEMETRY = True`. docs/metrics.md lists them.

Reads are counted in the unit of work, and added up here when it is over. The SDK collects the sums when it exports, so
a unit of work costs no call of OpenTelemetry. A project without an SDK exports nothing.
"""

from __future__ import annotations

import functools
import os
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation

from pindb.core.unit_of_work import UnitOfWork
from pindb.events import Observer
from pindb.monitoring.summary import WorkSummary, summary_of
from pindb.routing.decision import Reason, observe, role_of
from pindb.servers import health

Attributes: TypeAlias = tuple[tuple[str, str | bool], ...]

READS: Final = "pindb.reads"
UNITS: Final = "pindb.units_of_work"
QUESTIONS: Final = "pindb.position.questions"
REFUSED: Final = "pindb.carriers.refused"
IN_TRANSACTION: Final = "pindb.publishes.in_transaction"

COUNTERS: Final = {
    READS: ("{read}", "Reads that a router was asked for"),
    UNITS: ("{unit_of_work}", "Units of work that are over"),
    QUESTIONS: ("{question}", "Questions to servers for their log position"),
    REFUSED: ("{carrier}", "Carriers whose text was not accepted"),
    IN_TRANSACTION: ("{publish}", "Tasks that were published inside a transaction that has written"),
}
"""By name: the unit and the description."""

WAIT: Final = "pindb.replica.wait.duration"
USABLE: Final = "pindb.replica.usable"
LAG: Final = "pindb.replica.lag"


class Metrics(Observer):
    """Adds up what this process does. Threads share it."""

    def __init__(self, meter: metrics.Meter) -> None:
        self._totals: Final[dict[str, Counter[Attributes]]] = {name: Counter() for name in COUNTERS}
        self._lock: Final = threading.Lock()
        for name, (unit, description) in COUNTERS.items():
            meter.create_observable_counter(name, [self._reader_of(name)], unit=unit, description=description)
        meter.create_observable_gauge(USABLE, [_usable], description="1 if a replica can be read, else 0")
        meter.create_observable_gauge(LAG, [_lag], unit="s", description="How far a replica is behind its master")
        self._wait: Final = meter.create_histogram(WAIT, unit="s", description="Waits of reads for a replica")
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_again)

    def unit_left(self, unit: UnitOfWork, kind: str, name: str) -> None:
        _describe(summary_of(unit, kind, name))

    def unit_ended(self, unit: UnitOfWork, kind: str, name: str) -> None:
        summary = summary_of(unit, kind, name)
        if kind == "task":  # a request's span is over by now
            _describe(summary)
        with self._lock:
            self._totals[UNITS][("pindb.kind", kind), ("pindb.outcome", summary.outcome.value)] += 1
            reads = self._totals[READS]
            for read in summary.reads:
                reads[_attributes(read.db_set, read.reason, read.is_shadow)] += read.count

    def position_asked(self, alias: str) -> None:
        self._add(QUESTIONS, ("pindb.alias", alias))

    def waited_for_replica(self, seconds: float, *, caught_up: bool) -> None:
        self._wait.record(seconds, {"pindb.caught_up": caught_up})

    def carrier_refused(self, carrier: str, problem: str) -> None:
        self._add(REFUSED, ("pindb.carrier", carrier), ("pindb.problem", problem))

    def published_in_transaction(self, task: str) -> None:
        self._add(IN_TRANSACTION, ("pindb.task", task))

    def _add(self, name: str, *attributes: tuple[str, str]) -> None:
        with self._lock:
            self._totals[name][attributes] += 1

    def _reader_of(self, name: str) -> Any:
        def read(_: CallbackOptions) -> Iterable[Observation]:
            with self._lock:
                totals = list(self._totals[name].items())
            return [Observation(total, dict(attributes)) for attributes, total in totals]

        return read

    def _start_again(self) -> None:
        """Count from zero: a forked child exports what it has done itself."""
        self._lock._at_fork_reinit()  # type: ignore[attr-defined]
        for totals in self._totals.values():
            totals.clear()


@functools.lru_cache(maxsize=1024)
def _attributes(db_set: str | None, reason: Reason, is_shadow: bool) -> Attributes:
    return (
        ("pindb.db_set", db_set or ""),
        ("pindb.role", role_of(reason)),
        ("pindb.reason", reason.name.lower()),
        ("pindb.shadow", is_shadow),
    )


def _describe(summary: WorkSummary) -> None:
    """Set attributes of the current span."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attribute("pindb.reads.replica", summary.reads_of("replica"))
        span.set_attribute("pindb.reads.master", summary.reads_of("master"))
        if (reason := summary.reason) is not None:
            span.set_attribute("pindb.master.reason", reason.name.lower())


def _usable(_: CallbackOptions) -> Iterable[Observation]:
    return [Observation(int(usable), _of_replica(name, alias)) for name, alias, usable, _lag in health.known()]


def _lag(_: CallbackOptions) -> Iterable[Observation]:
    return [Observation(lag, _of_replica(name, alias)) for name, alias, _ok, lag in health.known() if lag is not None]


def _of_replica(name: str, alias: str) -> dict[str, str]:
    return {"pindb.db_set": name, "pindb.alias": alias}


_metrics: Metrics | None = None


def start() -> None:
    """Count from here on. Calling it twice changes nothing."""
    global _metrics
    if _metrics is None:
        _metrics = Metrics(metrics.get_meter("pindb"))
        observe(_metrics)
