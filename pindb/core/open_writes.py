"""What the open transaction of each connection has written: pins for good if it commits, no pins if it rolls back.

Django tells nobody of a rollback, and calls `on_commit()` callbacks in the order in which they were registered, so
that a pin made in one would come too late for the others. So the four methods of `BaseDatabaseWrapper` are wrapped
that every commit and rollback of Django goes through.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol

from django.db import DataError, IntegrityError, NotSupportedError, ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper

from pindb.core.transactions import TESTCASE, in_transaction, outermost_block

REFUSED: Final = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
"""Errors after which one statement, or a commit, has changed nothing. After others nobody knows."""

KEY: Final = "pindb_transaction"
"""Attribute of a connection."""


class Writer(Protocol):
    """What is needed of a unit of work."""

    pins_made: set[str]
    open_writes: dict[OpenWrite, str]

    def hold(self, write: OpenWrite) -> None: ...

    def extend(self) -> None: ...


class OpenWrite:
    """What a unit of work has written to the DB set `name` in a transaction that is still open.

    A rollback of one of `savepoints` undoes it, as one of the whole transaction does. `units` hand the pin on as long
    as it is among their `open_writes`.
    """

    __slots__ = ("name", "savepoints", "units")

    def __init__(self, name: str, savepoints: tuple[str | None, ...]) -> None:
        self.name: Final = name
        self.savepoints = savepoints
        self.units: Final[list[Writer]] = []

    def committed(self) -> None:
        """Make it a pin for good, but in a unit of work that has called `unpin_all()` since."""
        for unit in self.units:
            if self in unit.open_writes:  # in this order: another thread may look in between
                unit.pins_made.add(self.name)
                unit.extend()
                unit.open_writes.pop(self, None)

    def rolled_back(self) -> None:
        """Hand it on no more."""
        for unit in self.units:
            unit.open_writes.pop(self, None)


class Transaction:
    """What one connection has written since its last commit.

    One `OpenWrite` for each pin of each unit of work; the unit of work is None where nothing is pinned.
    """

    __slots__ = ("block", "connection", "writes")

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection: Final = connection
        self.writes: Final[dict[tuple[str, Writer | None], OpenWrite]] = {}
        self.block: object = None

    def note(self, name: str, unit: Writer | None) -> None:
        """Note a write by `unit`, or by one that does not pin."""
        savepoints = self.connection.savepoint_ids
        write = self.writes.get((name, unit))
        if write is None:
            self.writes[name, unit] = write = OpenWrite(name, tuple(savepoints))
            _here.transactions[self] = None
        elif write.savepoints:
            # Those that are not open any more were released: only a rollback further out undoes the first write.
            write.savepoints = tuple(_common_start(write.savepoints, savepoints))
        if unit is not None and write not in unit.open_writes:
            unit.hold(write)
        self.block = outermost_block(self.connection)

    def committed(self) -> None:
        for write in self._taken():
            write.committed()

    def rolled_back(self, savepoint: str | None = None) -> None:
        """Take back what was written, since `savepoint` if there is one."""
        for write in self._taken() if savepoint is None else self._taken_since(savepoint):
            write.rolled_back()

    def is_open(self) -> bool:
        """Return whether there is anything left to commit or to roll back, but by a `TestCase`."""
        if not self.writes or self.block is TESTCASE:
            return False
        return in_transaction(self.connection) and outermost_block(self.connection) == self.block

    def _taken(self) -> list[OpenWrite]:
        writes = list(self.writes.values())
        self.writes.clear()
        _here.transactions.pop(self, None)
        return writes

    def _taken_since(self, savepoint: str) -> list[OpenWrite]:
        undone = [key for key, write in self.writes.items() if savepoint in write.savepoints]
        return [self.writes.pop(key) for key in undone]


def _common_start(first: Iterable[str | None], second: Iterable[str | None]) -> Iterator[str | None]:
    for one, other in zip(first, second, strict=False):
        if one != other:
            return
        yield one


class _Here(threading.local):
    """The transactions that have written over this thread's connections and are open."""

    def __init__(self) -> None:
        self.transactions: dict[Transaction, None] = {}


_here: Final = _Here()


def note_write(connection: BaseDatabaseWrapper, name: str, unit: Writer | None) -> None:
    """Note that `unit` has written to the DB set `name` in the open transaction of `connection`.

    None stands for a unit of work that pins nothing by it.
    """
    transaction = connection.__dict__.get(KEY)
    if transaction is None:
        connection.__dict__[KEY] = transaction = Transaction(connection)
    transaction.note(name, unit)


def is_written(connection: BaseDatabaseWrapper, name: str, unit: Writer | None) -> bool:
    """Return whether one more write by `unit` to the DB set `name`, in the open transaction, would change nothing."""
    transaction: Transaction | None = connection.__dict__.get(KEY)
    if transaction is None:
        return False
    write = transaction.writes.get((name, unit))
    if write is None or write.savepoints or not (unit is None or write in unit.open_writes):
        return False
    blocks = connection.atomic_blocks
    return transaction.block is (blocks[0] if blocks else None)  # not so inside a `TestCase`


def note_commit(connection: BaseDatabaseWrapper) -> None:
    """Note that what `connection` has written is committed, as far as anybody knows."""
    transaction = connection.__dict__.get(KEY)
    if transaction is not None:
        transaction.committed()


def written_here() -> list[str]:
    """Return the aliases on which this thread has a transaction open that has written.

    Django's `TestCase` wraps tests in transactions, which do not count.
    """
    return [each.connection.alias for each in list(_here.transactions) if each.is_open()]


def _commit(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def commit(connection: BaseDatabaseWrapper) -> None:
        try:
            original(connection)
        except REFUSED:
            raise  # Django rolls back
        except BaseException:
            note_commit(connection)  # perhaps it has reached the server
            raise
        note_commit(connection)

    return commit


def _rollback(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def rollback(connection: BaseDatabaseWrapper) -> None:
        original(connection)
        transaction = connection.__dict__.get(KEY)
        if transaction is not None:
            transaction.rolled_back()

    return rollback


def _savepoint_rollback(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def savepoint_rollback(connection: BaseDatabaseWrapper, sid: str | None) -> None:
        original(connection, sid)
        transaction = connection.__dict__.get(KEY)
        if transaction is not None and sid is not None:
            transaction.rolled_back(sid)

    return savepoint_rollback


def _set_autocommit(original: Callable[..., None]) -> Callable[..., None]:
    """Keep what is left over, where the next transaction begins: it is in doubt.

    Switching autocommit on has committed it; or it was lost with its connection; or its rollback failed.
    """

    @functools.wraps(original)
    def set_autocommit(connection: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> None:
        note_commit(connection)
        original(connection, *args, **kwargs)

    return set_autocommit


for _name, _wrap in {
    "commit": _commit,
    "rollback": _rollback,
    "savepoint_rollback": _savepoint_rollback,
    "set_autocommit": _set_autocommit,
}.items():
    setattr(BaseDatabaseWrapper, _name, _wrap(getattr(BaseDatabaseWrapper, _name)))
