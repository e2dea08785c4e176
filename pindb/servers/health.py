"""What this process last learned of each replica, and when to ask again.

Asked is when a context chooses its replica, at most once per replica and `PINDB_HEALTH_SECONDS`, by the one thread that
finds the answer too old. It waits at most `PROBE_TIMEOUT` for the probe; the others go on with what is known. A replica
that is down is asked again after `PINDB_REPLICA_RETRY_SECONDS`, and hardly anyone waits for that.
"""

from __future__ import annotations

import asyncio
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
from pindb.exceptions import first_line
from pindb.servers import connection_check, probe
from pindb.servers.timed_call import TimedCall
from pindb.servers.vendors import FILES
from pindb.servers.vendors.base import Report

logger: Final = logging.getLogger("pindb")

PROBE_TIMEOUT: Final = 1.0
"""A server that takes longer, in seconds, to let us in and answer is down."""

QUICK_WAIT: Final = 0.1
"""How long a probe may take before those who do not wait for it doubt the replica; and how long one waits for a replica
that was down."""

STARTUP_WAIT: Final = 0.25
"""How long contexts wait for a probe that another one of a process that has just started has under way."""

clock: Callable[[], float] = time.monotonic

UNKNOWN: Final = "it has not answered yet"


def problem_in(report: Report, settings: Settings) -> str:
    """Return why a server that says this is not to be read, "" when it is."""
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
    """One replica as this process knows it. `problem` is why it is passed over, "" where it is not."""

    __slots__ = ("_asked_at", "_known", "_under_way", "alias", "check_again_at", "is_file", "lag", "master", "problem")

    def __init__(self, alias: str, master: str) -> None:
        self.alias: Final = alias
        self.master: Final = master
        self.is_file: Final = connections[alias].vendor in FILES
        self.problem = "" if self.is_file else UNKNOWN
        self.lag: float | None = None
        self.check_again_at = float("inf" if self.is_file else "-inf")
        self._asked_at = 0.0
        self._known = threading.Event()
        self._under_way = threading.Lock()

    def can_be_read(self, timeout: float) -> bool:
        """Return whether a context that chooses now may choose this one, having asked if it is time to."""
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
        """Go by this until it is time to ask again."""
        before, self.problem, self.lag = self.problem, problem, lag
        self._known.set()
        self.check_again_at = clock() + (settings.replica_retry_seconds if problem else settings.health_seconds)
        if problem and before in ("", UNKNOWN):
            logger.info("The replica %r is passed over: %s.", self.alias, problem)
        elif before and before != UNKNOWN and not problem:
            logger.info("The replica %r is read again.", self.alias)

    def _ask(self, settings: Settings, timeout: float) -> bool:
        """Have it probed, wait a little, return whether it has answered; its old problem counts where none may wait.

        `_under_way` is held, and released when the probe has ended.
        """
        began = self._asked_at = time.monotonic()

        def over(timed_call: TimedCall[Report]) -> None:
            try:
                # Whoever gave up waiting has said what there is to say.
                if timed_call.claim():
                    took = time.monotonic() - began
                    if took > PROBE_TIMEOUT:
                        self.learn(f"it took {took:.1f} s to answer", settings)
                    elif timed_call.error is not None:
                        self.learn(first_line(timed_call.error), settings)
                    else:
                        report = timed_call.result or Report()
                        self.learn(problem_in(report, settings), settings, report.lag)
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
    """Return the question to the server of `alias`, ready to be put in another thread; `lag`: asked in any case."""
    connection = probe.probe_for(alias)
    if master in connections.settings and probe.same_server(alias, master):
        # It is no standby, and never behind itself.
        def ask_itself() -> Report:
            probe.ask(connection, lag=False)
            return Report(lag=0.0)

        return ask_itself
    wanted = lag or settings.max_lag_seconds is not None
    return lambda: probe.ask(connection, lag=wanted, max_lag=settings.max_lag_seconds)


_replicas: Final[dict[str, Replica]] = {}
_without: Final[set[str]] = set()
"""The DB sets that are read from their masters, none of their replicas being readable."""


def can_be_read(alias: str, db_set: DbSet, timeout: float = PROBE_TIMEOUT) -> bool:
    """Return whether a context that chooses now may choose this replica. Never raises for a server's sake.

    `timeout` is how long it may wait; with less than `PROBE_TIMEOUT` a replica is not called down for being late.
    """
    replica = _replicas.get(alias)
    if replica is None:
        try:
            replica = _replicas.setdefault(alias, Replica(alias, db_set.masters[alias]))
        except ConnectionDoesNotExist:  # Django says so, and how to mend it, better than a read on the master would
            return True
    if not replica.can_be_read(timeout):
        return False
    if db_set.name in _without:
        _without.discard(db_set.name)
        logger.info("Replicas of %r are read again.", db_set.name)
    return True


def none_can_be_read(db_set: DbSet) -> None:
    """Warn, once per outage, that a DB set is read from its master."""
    problems = {alias: _replicas[alias].problem for alias in db_set.replicas if alias in _replicas}
    if db_set.name not in _without and all(problem not in ("", UNKNOWN) for problem in problems.values()):
        _without.add(db_set.name)
        why = "; ".join(f"{alias}: {problem}" for alias, problem in problems.items())
        logger.warning("No replica of %r can be read, its master is, until one can be. %s.", db_set.name, why)


def lag_of(replicas: Iterable[str]) -> float | None:
    """Return how far the least lagging of `replicas` was behind when last asked, None where none has told."""
    known = [replica.lag for alias in replicas if (replica := _replicas.get(alias)) is not None]
    return min((lag for lag in known if lag is not None), default=None)


def forget(**_: Any) -> None:
    """Know nothing, as at the start of a process."""
    _replicas.clear()
    _without.clear()


setting_changed.connect(forget, dispatch_uid="pindb.health", weak=False)
if hasattr(os, "register_at_fork"):
    # The child has none of the threads that were asking, but the locks that they hold.
    os.register_at_fork(after_in_child=forget)


def loop_is_running() -> bool:
    """Return whether an event loop runs in this thread, which must not wait for a database."""
    return asyncio._get_running_loop() is not None
