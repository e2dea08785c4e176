"""How an adapter opens the unit of work of a message: it reads the pins and never lets a failure end in stale reads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from pindb import events, interrupts
from pindb.propagation import KEY, Work, open_lost

logger: Final = logging.getLogger("pindb")

NO_HEADER: Final = None
"""`pins_in` of a message without the header. Its publisher runs without pindb, so `PINDB_MISSING_HEADER` decides.

A publisher with nothing pinned writes `propagation.NOTHING_PINNED` instead.
"""

NULL_HEADER: Final = ""
"""`pins_in` of a message whose header is null. pindb never writes null, so it is unreadable: the task reads masters."""

M = TypeVar("M")


def pins_in(headers: Mapping[str, Any]) -> Any:
    """Return the pins that a message with these headers (or options) carries, for `propagation.open_message()`."""
    pins = headers.get(KEY)
    if pins is not None:
        return pins
    return NULL_HEADER if KEY in headers else NO_HEADER


class Source(NamedTuple):
    """What brought pins in, as `pindb.explain()` prints it."""

    carrier: object
    task: str
    message_id: str

    def __str__(self) -> str:
        return f"{self.carrier} {self.message_id} of {self.task}"


def open_safely(
    open_work: Callable[[M], Work], message: M, task: str, message_id: str = "", *, interruptible: bool = False
) -> Work:
    """Return the unit of work that `open_work(message)` has entered.

    If that fails, the task reads masters. Celery and Dramatiq swallow the errors of hooks and run the task all the
    same, so an error must not leave the task without a unit of work. `task` and `message_id` name the task and its
    message, in the log and for `pindb.explain()`.

    With `interruptible` an exception that ends the task (`interrupted_by`) gets through: it is not raised again, so the
    task would run on without a time limit. Only a queue that swallows it here needs the other way.
    """
    try:
        work = open_work(message)
        work.name = task
        unit = work.unit
        if unit.inherited.timed or unit.inherited.positioned:
            unit.source = Source(unit.source, task, message_id)
        return work
    except Exception as error:
        if interruptible and isinstance(error, interrupts.types):
            raise
        # Celery's soft time limit too: Celery swallows it here.
        logger.exception("pindb could not open the unit of work of %s: it reads masters.", task)
        return open_lost(NO_HEADER)


def process_ends() -> None:
    """Tell observers that this process ends now, where the queue ends it without `atexit`."""
    events.tell(events.Observer.process_ends)
