"""Tells observers what happens: metrics, the report, a signal. With none, an event costs the test of a tuple."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from pindb import interrupts
from pindb.once import Once

logger: Final = logging.getLogger("pindb")


class Observer:
    """What an observer may hear of. An error in it is logged once, and goes nowhere else."""

    wants_lines = False
    """Whether to find the line of code that makes a pin, which takes some microseconds."""

    def unit_left(self, unit: Any, kind: str, name: str) -> None:
        """Hear that the code of a request has returned. Its body may still be streamed."""

    def unit_ended(self, unit: Any, kind: str, name: str) -> None:
        """Hear that a unit of work is over. `kind`: "request", "task" or "other"; `name`: that of its view or task."""

    def position_asked(self, alias: str) -> None:
        """Hear that a server is asked for its log position."""

    def waited_for_replica(self, seconds: float, *, caught_up: bool) -> None:
        """Hear that a read has waited for a replica."""

    def carrier_refused(self, carrier: str, problem: str) -> None:
        """Hear that the text of a carrier was not accepted: "newer version", "unreadable" or "forged"."""

    def published_in_transaction(self, task: str) -> None:
        """Hear that a task was published inside a transaction that has written."""

    def process_ends(self) -> None:
        """Hear that the process is about to end in a way that skips `atexit`, as the children of a Celery worker do."""


observers: tuple[Observer, ...] = ()
wants_lines = False


def add(observer: Observer) -> None:
    """Have `observer` hear of events; twice is once. `routing.decision.observe()` counts reads for it, too."""
    if observer not in observers:
        _replace((*observers, observer))


def remove(observer: Observer) -> None:
    """Undo `add(observer)`."""
    _replace(tuple(other for other in observers if other is not observer))


def _replace(others: tuple[Observer, ...]) -> None:
    global observers, wants_lines
    observers, wants_lines = others, any(observer.wants_lines for observer in others)


def tell(event: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    """Tell each observer: `event` is a method of `Observer`."""
    for observer in observers:
        try:
            getattr(observer, event.__name__)(*args, **kwargs)
        except interrupts.types:
            raise
        except Exception:
            if _failed.first_time(type(observer)):
                logger.exception("%r failed. This is logged once.", observer)


_failed: Final = Once()
