"""What this process last learned of each replica, and when to ask it again.

A replica is asked when a unit of work chooses one, at most once per replica and `PINDB_HEALTH_SECONDS`. The thread that
finds the answer too old asks, and waits at most `PROBE_TIMEOUT` for the probe. The other threads go by what is known. A
replica that is down is asked again after `PINDB_REPLICA_RETRY_SECONDS`, and hardly any thread waits for that. One that
did not finish a read is asked again before another unit of work reads it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.core.signals import setting_changed
from django.db import connections
from django.utils.connection import ConnectionDoesNotExist

from pindb.config.database_sets import DbSet, current_config
from pindb.config.settings import Settings
from pindb.event_loop import loop_is_running
from pindb.exceptions import first_line
from pindb.servers import connection_check, probe
from pindb.servers.timed_call import TimedCall
from pindb.servers.vendors import FILES
from pindb.servers.vendors.base import Report

logger: Final = logging.getLogger("pindb")

PROBE_TIMEOUT: Final = 1.0
"""A server that takes longer, in seconds, to accept a connection and answer is down."""

QUICK_WAIT: Final = 0.1
"""How many seconds a probe may take before threads that do not wait for it doubt the replica. A thread waits no longer
for a replica that was down."""

STARTUP_WAIT: Final = 0.25
"""How long units of work wait, in seconds, for the first probe of a process, which another thread has under way."""

clock: Callable[[], float] = time.monotonic

UNKNOWN: Final = "it has not answered yet"


def problem_in(report: Report, settings: Settings) -> str:
    """Return why a server with this report is not read; "" if it is."""
    if not report.follows:
        return "it is no replica (any more)"
    if settings.max_lag_seconds is None:
        return ""
    if report.lag is None:
        return f"its lag is unknown: {report.why}"
    if report.lag > settings.max_lag_seconds:
        return f"it is {report.lag:.1f} s behind"
    return ""


class Replica:
    """One replica as this process knows it. `problem` is why it is skipped; "" if it is read."""

    __slots__ = (
        "_asked_at", "_doubts", "_failed_at", "_known", "_under_way", "alias", "check_again_at", "failed_reads",
        "is_file", "lag", "master", "problem",
    )  # fmt: skip

    def __init__(self, alias: str, master: str) -> None:
        self.alias: Final = alias
        self.master: Final = master
        self.is_file: Final = connections[alias].vendor in FILES
        self.problem = "" if self.is_file else UNKNOWN
        self.lag: float | None = None
        self.check_again_at = float("inf" if self.is_file else "-inf")
        self.failed_reads = 0
        """How many reads it did not finish in the present outage, or in the last few seconds."""
        self._asked_at = 0.0
        self._doubts = 0
        self._failed_at = 0.0
        self._known = threading.Event()
        self._under_way = threading.Lock()

    def can_be_read(self, timeout: float) -> bool:
        """Return whether a unit of work that chooses now may choose this replica. Asks it first if it is time to."""
        if clock() >= self.check_again_at:
            if self._under_way.acquire(blocking=False):
                if not self._ask(current_config().settings, timeout):
                    return False
            elif self.problem == UNKNOWN and not loop_is_running():
                self._known.wait(min(timeout, STARTUP_WAIT))
            elif not self.problem and time.monotonic() - self._asked_at > QUICK_WAIT:
                return False
        if self.problem or self.is_file:
            return not self.problem
        if loop_is_running():
            return True
        problem = connection_check.connection_problem(connections[self.alias], timeout)
        if problem and (timeout >= PROBE_TIMEOUT or problem != connection_check.TIMED_OUT):
            self.learn(problem, current_config().settings)
        return not problem

    def learn(self, problem: str, settings: Settings, lag: float | None = None) -> None:
        """Go by this answer until it is time to ask again."""
        before, self.problem, self.lag = self.problem, problem, lag
        if self.failed_reads and not problem and clock() - self._failed_at >= settings.replica_retry_seconds:
            logger.info(
                "The replica %r is well again. Reads that it did not finish: %d.", self.alias, self.failed_reads
            )
            self.failed_reads = 0
        self._known.set()
        self.check_again_at = clock() + (settings.replica_retry_seconds if problem else settings.health_seconds)
        if problem and before in ("", UNKNOWN):
            logger.info("The replica %r is skipped: %s.", self.alias, problem)
        elif before and before != UNKNOWN and not problem:
            logger.info("The replica %r is read again.", self.alias)

    def note_failed_read(self, why: str, *, doubted: bool) -> None:
        """Count a read that this replica did not finish, and warn of the first one of an outage.

        `doubted`: nobody chooses this replica before it has been asked again.
        """
        self._failed_at = clock()
        self.failed_reads += 1
        if self.failed_reads == 1:
            logger.warning(
                "The replica %r did not finish a read (%s). It is repeated on the master, and so are others of this "
                "outage.",
                self.alias,
                why,
            )
        if doubted and not self.is_file:
            self._doubts += 1  # what a probe says that is under way may be older
            if not self.problem:
                self._known.clear()
                self.problem, self.check_again_at = UNKNOWN, float("-inf")

    def _ask(self, settings: Settings, timeout: float) -> bool:
        """Start a probe, wait a little, return whether it has answered. If no thread may wait, the old answer counts.

        The caller holds `_under_way`; the end of the probe releases it.
        """
        began, doubts = time.monotonic(), self._doubts
        self._asked_at = began

        def over(timed_call: TimedCall[Report]) -> None:
            try:
                # A thread that gave up waiting has noted the problem already.
                if timed_call.claim():
                    took = time.monotonic() - began
                    if took > PROBE_TIMEOUT:
                        self.learn(f"it took {took:.1f} s to answer", settings)
                    elif timed_call.error is not None:
                        self.learn(first_line(timed_call.error), settings)
                    else:
                        report = timed_call.result or Report()
                        problem = problem_in(report, settings)
                        if problem or doubts == self._doubts:
                            self.learn(problem, settings, report.lag)
            finally:
                self._release()

        try:
            timed_call = TimedCall(probing(self.alias, self.master, settings), over)
        except BaseException as error:
            self._release()
            if not isinstance(error, RuntimeError):
                raise
            self.learn(first_line(error), settings)  # no thread can be started
            return True
        if loop_is_running():
            return True
        if self.problem not in ("", UNKNOWN):
            timeout = QUICK_WAIT
        if timed_call.wait(timeout):
            return True
        if timeout >= PROBE_TIMEOUT and timed_call.claim():
            self.learn(f"no answer within {PROBE_TIMEOUT:g} s", settings)
        return False

    def _release(self) -> None:
        # Twice where a signal's exception arrived while the thread was being started.
        with contextlib.suppress(RuntimeError):
            self._under_way.release()


def probing(alias: str, master: str, settings: Settings, *, lag: bool = False) -> Callable[[], Report]:
    """Return a call that probes the server of `alias`, to be run in another thread.

    `lag`: ask for the lag in any case.
    """
    connection = probe.probe_for(alias)
    if master in connections.settings and probe.same_server(alias, master):
        # The master is no standby, and never behind itself.
        def ask_itself() -> Report:
            probe.ask(connection, lag=False)
            return Report(lag=0.0)

        return ask_itself
    wanted = lag or settings.max_lag_seconds is not None
    return lambda: probe.ask(connection, lag=wanted, max_lag=settings.max_lag_seconds)


_replicas: Final[dict[str, Replica]] = {}
_without: Final[set[str]] = set()
"""The DB sets that are read from their masters, because none of their replicas can be read."""


def can_be_read(alias: str, db_set: DbSet, timeout: float = PROBE_TIMEOUT) -> bool:
    """Return whether a unit of work that chooses now may choose this replica. An error of the server does not raise.

    `timeout` is how many seconds it may wait. With less than `PROBE_TIMEOUT`, a late replica does not count as down.
    """
    replica = _replicas.get(alias)
    if replica is None:
        try:
            replica = _replicas.setdefault(alias, Replica(alias, db_set.servers))
        except ConnectionDoesNotExist:  # the read itself raises it, which is better than a silent read on the master
            return True
    if not replica.can_be_read(timeout):
        return False
    if db_set.servers in _without:
        _without.discard(db_set.servers)
        logger.info("Replicas of %r are read again.", db_set.servers)
    return True


def note_failed_read(alias: str, db_set: DbSet, why: str, *, doubted: bool) -> None:
    """See `Replica.note_failed_read`."""
    replica = _replicas.get(alias) or _replicas.setdefault(alias, Replica(alias, db_set.servers))
    replica.note_failed_read(why, doubted=doubted)


def none_can_be_read(db_set: DbSet) -> None:
    """Warn, once per outage, that a DB set is read from its master."""
    problems = {alias: _replicas[alias].problem for alias in db_set.replicas if alias in _replicas}
    if db_set.servers not in _without and all(problem not in ("", UNKNOWN) for problem in problems.values()):
        _without.add(db_set.servers)
        why = "; ".join(f"{alias}: {problem}" for alias, problem in problems.items())
        logger.warning("No replica of %r can be read, its master is, until one can be. %s.", db_set.servers, why)


def lag_of(replicas: Iterable[str]) -> float | None:
    """Return the least lag of `replicas` when they were last asked, in seconds; None if none has told it."""
    known = [replica.lag for alias in replicas if (replica := _replicas.get(alias)) is not None]
    return min((lag for lag in known if lag is not None), default=None)


def known() -> list[tuple[str, str, bool, float | None]]:
    """Return the name of the DB set, the alias, whether it can be read, and the lag, of each replica that was asked."""
    asked = [replica for replica in list(_replicas.values()) if replica.problem != UNKNOWN]
    return [(replica.master, replica.alias, not replica.problem, replica.lag) for replica in asked]


def forget(**_: Any) -> None:
    """Forget all answers, as at the start of a process."""
    _replicas.clear()
    _without.clear()


setting_changed.connect(forget, dispatch_uid="pindb.health", weak=False)
if hasattr(os, "register_at_fork"):
    # The child has none of the threads that were asking, but it has the locks that they hold.
    os.register_at_fork(after_in_child=forget)
