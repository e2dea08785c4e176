"""One DEBUG line for each unit of work, in the log `pindb.work`: for those who look at logs, not at metrics."""

from __future__ import annotations

import logging
from typing import Final

from pindb.core.unit_of_work import UnitOfWork
from pindb.events import Observer
from pindb.monitoring.summary import summary_of
from pindb.routing.decision import observe

logger: Final = logging.getLogger("pindb.work")


class _Log(Observer):
    def unit_ended(self, unit: UnitOfWork, kind: str, name: str) -> None:
        summary = summary_of(unit, kind, name)
        fields = {
            "kind": kind,
            "name": name,
            "outcome": summary.outcome.value,
            "replica_reads": summary.reads_of("replica"),
            "master_reads": summary.reads_of("master"),
            "reason": summary.reason.value if summary.reason else "",
        }
        text = " ".join(
            f"{key}={value!r}" if isinstance(value, str) else f"{key}={value}" for key, value in fields.items()
        )
        logger.debug("%s", text, extra={f"pindb_{key}": value for key, value in fields.items()})


_log: Final = _Log()


def start() -> None:
    """Log from here on, if the logging settings want DEBUG lines of `pindb.work`."""
    if logger.isEnabledFor(logging.DEBUG):
        observe(_log)
