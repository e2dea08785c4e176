"""`Decision`: where a read goes, and the one reason for it; and who is told of it.

A listener hears of the decisions of the code that runs inside it, also where that goes on in other threads and asyncio
tasks. While one listens in the process, the router uses no cached decision: each one is made, and told, anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache
from typing import Final

from pindb import events
from pindb.config.database_sets import live
from pindb.core.unit_of_work import UnitOfWork
from pindb.lines import awaiting, calling_line, running_task


class Reason(Enum):
    """Why a read goes where it goes. The first one that applies is given, in this order."""

    UNMANAGED = "unmanaged"
    """The alias belongs to no DB set."""
    DISABLED = "disabled"
    """`PINDB_ENABLED` is False, or `PINDB_MODE` or `PINDB_SWITCH` says off."""
    MASTER_ONLY = "master only"
    """The table belongs to `PINDB_MASTER_ONLY`."""
    NO_REPLICAS = "no replicas"
    """The DB set has no replicas."""
    MASTER_OVERRIDE = "master override"
    """The read is inside `master()`."""
    REPLICA_OVERRIDE = "replica override"
    """The read is inside `unpinned_replica()`."""
    OPEN_TRANSACTION = "open transaction"
    """The read is inside `atomic()` on the master."""
    PINNED_BY_WRITE = "pinned by a write here"
    """This unit of work has written, or Django has asked where to write."""
    PINNED_BY_HAND = "pinned by hand"
    """`pin()` or `pinned()` was called in this unit of work."""
    PINNED_BY_CALLER = "pinned by the caller"
    """The pin came in with a carrier or a result."""
    REPLICA_FAILED = "replica failed"
    """The replica of this unit of work did not finish a read. This outranks `unpinned_replica()`."""
    OUTSIDE_SHARE = "outside the rollout share"
    """The unit of work does not belong to the share that may read replicas (`PINDB_REPLICA_SHARE`, `PINDB_SWITCH`)."""
    WAITING_FOR_POSITION = "waiting for a position"
    """The pin came in with a log position, which no replica that may be read has replayed."""
    NO_REPLICA_USABLE = "no replica usable"
    """Every replica is down or lags too much."""
    REPLICA = "replica"
    """No rule speaks for the master."""

    __hash__ = object.__hash__  # that of `Enum` is a function in Python


def role_of(reason: Reason) -> str:
    """Return what is read for this reason."""
    if reason is Reason.REPLICA or reason is Reason.REPLICA_OVERRIDE:
        return "replica"
    return "unmanaged" if reason is Reason.UNMANAGED else "master"


@dataclass(frozen=True, slots=True)
class Decision:
    """Where one read goes, and why."""

    db_set: str | None
    """The name of the DB set, or of a part of it with separate pins; None for an unmanaged alias."""
    alias: str
    """Where the read goes: an alias of `DATABASES`."""
    reason: Reason
    """The rule that sends it there."""
    origin: str = ""
    """Of a pin: the line of code that made it, or what brought it in. Known only while `explain()` listens."""
    line: str = ""
    """The line of code that asked. Known only while `explain()` listens."""
    is_shadow: bool = False
    """Whether the read goes to the master all the same (`PINDB_MODE = "shadow"`): the role is what it would be."""
    cacheable: bool = field(default=True, repr=False, compare=False)
    """Whether the read goes there in every thread, until the unit of work is pinned or ends."""

    @property
    def role(self) -> str:
        """What is read: "replica", "master", or "unmanaged"."""
        return role_of(self.reason)


@lru_cache(maxsize=1024)
def decided(db_set: str | None, alias: str, reason: Reason, *, cacheable: bool = True) -> Decision:
    """Return the `Decision` without an origin: one object for all, because making a frozen one takes 1 us."""
    return Decision(db_set, alias, reason, cacheable=cacheable)


class ReadCount:
    """How many reads of a unit of work went to one DB set for one reason."""

    __slots__ = ("count", "db_set", "first_at", "is_shadow", "reason")

    def __init__(self, db_set: str | None, reason: Reason, *, is_shadow: bool) -> None:
        self.db_set: Final = db_set
        self.reason: Final = reason
        self.is_shadow: Final = is_shadow
        """Whether they went to the master all the same, in shadow mode."""
        self.first_at: Final = time.time()
        """When the first of them was decided, in UTC epoch seconds."""
        self.count = 0

    def __repr__(self) -> str:
        return f"{self.count} of {self.db_set!r}: {self.reason.value}{' (shadow)' if self.is_shadow else ''}"

    @property
    def role(self) -> str:
        """What they read, or would have read: "replica", "master", or "unmanaged"."""
        return role_of(self.reason)


class Counter:
    """Counts the reads that the cached answer `entry` decides: outside all transactions on the master, and inside one.

    A count is None until such a read was decided.
    """

    __slots__ = ("entry", "inside", "master", "outside")

    def __init__(self, master: str | None) -> None:
        self.entry: object = None
        self.master: Final = master
        """The master whose transactions matter; None if they do not."""
        self.outside: ReadCount | None = None
        self.inside: ReadCount | None = None


def count_of(unit: UnitOfWork, decision: Decision) -> ReadCount:
    """Return the count of reads in `unit` that were decided like this."""
    counts: list[ReadCount] | None = unit.reads
    if counts is None:
        unit.reads = counts = []
    for known in counts:
        if (
            known.reason is decision.reason
            and known.db_set == decision.db_set
            and known.is_shadow == decision.is_shadow
        ):
            return known
    count = ReadCount(decision.db_set, decision.reason, is_shadow=decision.is_shadow)
    counts.append(count)
    return count


def observe(observer: events.Observer) -> None:
    """Have `observer` hear of events, and each unit of work count its reads for it."""
    events.add(observer)
    live.listen(0)


def stop_observing(observer: events.Observer) -> None:
    """Undo `observe(observer)`."""
    events.remove(observer)
    live.listen(0)


Listener = Callable[[Decision], None]

listeners: Final[ContextVar[tuple[Listener, ...]]] = ContextVar("pindb_listeners", default=())
if hasattr(os, "register_at_fork"):
    # The child has none of the threads that were listening, but for the one that has forked.
    os.register_at_fork(after_in_child=lambda: live.listen(len(listeners.get()) - live.listeners))


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell `listener` each decision of the code in the block."""
    task_before = awaiting.get()
    awaiting.set(running_task() or task_before)
    listeners.set((*listeners.get(), listener))
    live.listen(1)
    try:
        yield
    finally:
        live.listen(-1)
        awaiting.set(task_before)
        listeners.set(tuple(each for each in listeners.get() if each is not listener))


def report(decision: Decision) -> None:
    """Tell `decision` to each listener of the running code."""
    for listener in listeners.get():
        listener(replace(decision, line=calling_line()))
