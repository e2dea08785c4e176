"""Counts what `manage.py pindb_report` shows: how each view and task reads, which lines pin, how old pins are.

A process counts in memory. A thread of its own adds the counts to the sink every few seconds, and when the process
ends: no request waits for it. If the sink fails, the process keeps its counts until it works again.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import sys
import threading
import time
from bisect import bisect_right
from collections import Counter, deque
from contextlib import suppress
from contextvars import Context
from typing import Final

from django.conf import settings as django_settings
from django.db import close_old_connections

from pindb.config.database_sets import ALL_SETS
from pindb.config.settings import Settings, load_settings
from pindb.core.pins import PinnedBy
from pindb.core.unit_of_work import UnitOfWork
from pindb.events import Observer
from pindb.exceptions import PinDbConfigError, first_line
from pindb.lines import short_line
from pindb.monitoring.sinks import Sink, Tally, sink_from
from pindb.routing.decision import ReadCount, Reason, observe, stop_observing

logger: Final = logging.getLogger("pindb")

SECONDS: Final = 5.0
"""How often a process adds its counts to the sink."""

EXIT_SECONDS: Final = 2.0
"""How long the end of a process waits for its last counts to be added."""

AGES: Final = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Reads are counted by the age of their pin: the last of these that it has reached, in seconds."""

FROM_CALLER: Final = (Reason.PINNED_BY_CALLER, Reason.WAITING_FOR_POSITION)
ON_THE_WAY: Final = (Reason.PINNED_BY_WRITE, Reason.PINNED_BY_HAND)

line_of: Final = functools.cache(short_line)


def counts_of(unit: UnitOfWork, kind: str, name: str, settings: Settings) -> Counter[tuple[str, ...]]:
    """Return what `unit`, which is over, adds to the counts. Each key begins with what is counted."""
    counts: Counter[tuple[str, ...]] = Counter({("unit", kind, name): 1})
    lines = {
        pinned: line_of(origin.where)
        for pinned, origin in unit.origins.items()
        if origin.where and origin.by is not PinnedBy.CALLER
    }
    for read in unit.reads or ():
        count = read.count
        if read.db_set is None:
            continue
        counts["read", kind, name, read.role, read.reason.value] += count
        if read.is_shadow:
            counts["shadow",] += count
        if read.reason in FROM_CALLER:
            age = _age(unit, read.db_set, read, settings)
        elif read.reason in ON_THE_WAY:
            age = 0.0
            if line := lines.get(read.db_set) or lines.get(ALL_SETS):
                counts["read by line", line] += count
        else:
            continue
        counts["age", f"{AGES[bisect_right(AGES, age) - 1]:g}"] += count
    handed_on = unit.newly_pinned
    for line in {*lines.values()}:
        counts["unit by line", line] += 1
        counts["handed on", line] += any(line == other and pinned in handed_on for pinned, other in lines.items())
    return counts


def _age(unit: UnitOfWork, db_set: str, read: ReadCount, settings: Settings) -> float:
    """Return how old the pin of the caller was at the first of these reads, or less: a message rounds its time up."""
    if not {db_set, ALL_SETS}.isdisjoint(unit.pins_made):  # it came with the result of a task
        return 0.0
    made = [
        time_made
        for pin in (unit.inherited.get(db_set), unit.inherited.get(ALL_SETS))
        if pin is not None
        for time_made in (
            pin.until - settings.pinning_seconds,
            *(position.expires_at - settings.position_seconds for position in pin.positions),
        )
    ]
    return max(0.0, read.first_at - max(made, default=read.first_at))


class Report(Observer):
    """The counts of this process on their way to `sink`."""

    wants_lines = True

    def __init__(self, sink: Sink, settings: Settings) -> None:
        self.sink: Final = sink
        self.settings: Final = settings
        self.begin()

    def begin(self) -> None:
        """Begin with nothing counted. A forked child does: it has neither its parent's thread nor its counts."""
        self._new: deque[Tally] = deque()
        self._tally = Tally()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._failing = False

    def unit_ended(self, unit: UnitOfWork, kind: str, name: str) -> None:
        if self._thread is not None and self._thread.ident == threading.get_ident():
            return  # the sink may be a cache in a database
        now = time.time()
        self._new.append(Tally(now, now, counts_of(unit, kind, name, self.settings)))
        # Never waits: the garbage collector, or a signal, may end a unit of work here while this thread has the lock.
        if self._lock.acquire(blocking=False):
            try:
                self._add_new()
                if self._thread is None:
                    self._start()
            finally:
                self._lock.release()

    def process_ends(self) -> None:
        """Add what was counted since the last time."""
        if self._thread is not None:
            self._ended.set()
            self._thread.join(EXIT_SECONDS)

    def _start(self) -> None:
        # A context of its own: what the thread does belongs to no unit of work.
        self._thread = threading.Thread(target=Context().run, args=(self._run,), name="pindb-report", daemon=True)
        with suppress(RuntimeError):  # the interpreter ends
            self._thread.start()
        atexit.unregister(self.process_ends)
        atexit.register(self.process_ends)
        if (util := sys.modules.get("multiprocessing.util")) is not None:  # before Python 3.13 its children skip atexit
            util.Finalize(None, self.process_ends, exitpriority=0)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._ended.wait(SECONDS)
            self._flush()

    def _add_new(self) -> None:
        while self._new:
            self._tally.add(self._new.popleft())

    def _flush(self) -> None:
        with self._lock:
            self._add_new()
            tally, self._tally = self._tally, Tally()
        if not tally.counts:
            return
        try:
            self.sink.add(tally)
        except Exception as error:
            with self._lock:
                self._tally.add(tally)
            if not self._failing:
                logger.warning(
                    "PINDB_REPORT cannot be written (%s). This process keeps its counts, and tries again every %g s.",
                    first_line(error),
                    SECONDS,
                )
            self._failing = True
        else:
            if self._failing:
                logger.info("PINDB_REPORT can be written again.")
            self._failing = False
        finally:
            close_old_connections()


_reports: Final[list[Report]] = []


def _begin_in_child() -> None:
    for report in _reports:
        report.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)


def start() -> None:
    """Count from here on, if `PINDB_REPORT` names where; not twice."""
    stop()
    if getattr(django_settings, "PINDB_REPORT", None) is None:
        return  # and leave it to the checks to speak of other settings
    try:
        settings = load_settings()
        if settings.report is None or not settings.enabled:
            return
        report = Report(sink_from(settings.report), settings)
    except PinDbConfigError as error:  # the checks say so as well
        logger.warning("Nothing is counted for manage.py pindb_report. %s", error)
        return
    _reports.append(report)
    observe(report)


def stop() -> None:
    """Undo `start()`; what was counted is added to the sink."""
    for report in _reports:
        stop_observing(report)
        report.process_ends()
    _reports.clear()
