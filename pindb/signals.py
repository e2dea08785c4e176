"""Django signals: `work_finished` tells how each unit of work has read."""

from __future__ import annotations

from typing import Any, Final

from django.dispatch import Signal

from pindb.core.unit_of_work import UnitOfWork
from pindb.events import Observer
from pindb.monitoring.summary import WorkSummary, summary_of
from pindb.routing.decision import observe, stop_observing


class _WorkFinished(Signal):
    """Counts reads while it has receivers, and only then."""

    def connect(self, *args: Any, **kwargs: Any) -> None:
        super().connect(*args, **kwargs)
        observe(_sender)

    def disconnect(self, *args: Any, **kwargs: Any) -> bool:
        disconnected = super().disconnect(*args, **kwargs)
        if not self.receivers:
            stop_observing(_sender)
        return disconnected


work_finished: Final = _WorkFinished(use_caching=True)
"""Sent when a unit of work is over: a request whose response is closed, a task, a `pinning_context()`.

    @receiver(pindb.signals.work_finished)
    def count(sender, summary, **kwargs):
        statsd.incr(f"reads.{summary.kind}.replica", summary.reads_of("replica"))

`sender` is `pindb.signals.WorkSummary`, the class of `summary`. Django logs what a receiver raises.
"""


class _Sender(Observer):
    def unit_ended(self, unit: UnitOfWork, kind: str, name: str) -> None:
        work_finished.send_robust(WorkSummary, summary=summary_of(unit, kind, name))


_sender: Final = _Sender()
