"""Keeps the pins of open transactions: a commit makes them pins for good, a rollback takes them back.

Django has no signal for a rollback. It calls `on_commit()` callbacks in the order in which they were registered, so a
pin that one of them makes would come too late for the callbacks before it. Every commit and rollback of Django calls
one of four methods of `BaseDatabaseWrapper`, so these four are wrapped.
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
"""Errors that mean: the statement, or the commit, has changed nothing. Other errors leave that open."""

KEY: Final = "pindb_transaction"
"""Attribute of a connection."""


class Writer(Protocol):
    """A unit of work, as far as this module needs it."""

    pins_made: set[str]
    open_writes: dict[OpenWrite, str]

    def hold(self, write: OpenWrite) -> None: ...

    def extend(self) -> None: ...


class OpenWrite:
    """The writes of one unit of work to the DB set `name` in a transaction that is still open.

    A rollback of the transaction, or of one of `savepoints`, undoes them. Each of `units` hands the pin on while this
    object is among its `open_writes`.
    """

    __slots__ = ("name", "savepoints", "units")

    def __init__(self, name: str, savepoints: tuple[str | None, ...]) -> None:
        self.name: Final = name
        self.savepoints = savepoints
        self.units: Final[list[Writer]] = []

    def committed(self) -> None:
        """Make it a pin for good, except in a unit of work that has called `unpin_all()` since."""
        for unit in self.units:
            if self in unit.open_writes:  # in this order: another thread may look in between
                unit.pins_made.add(self.name)
                unit.extend()
                unit.open_writes.pop(self, None)

    def rolled_back(self) -> None:
        """Take the pin back."""
        for unit in self.units:
            unit.open_writes.pop(self, None)


class Transaction:
    """The writes over one connection since its last commit.

    One `OpenWrite` for each pin of each unit of work; the unit of work is None where nothing is pinned.
    """

    __slots__ = ("block", "connection", "writes")

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection: Final = connection
        self.writes: Final[dict[tuple[str, Writer | None], OpenWrite]] = {}
        self.block: object = None

    def note(self, name: str, unit: Writer | None) -> None:
        """Note a write by `unit`. None stands for a unit of work that does not pin."""
        savepoints = self.connection.savepoint_ids
        write = self.writes.get((name, unit))
        if write is None:
            self.writes[name, unit] = write = OpenWrite(name, tuple(savepoints))
            _here.transactions[self] = None
        elif write.savepoints:
            # A savepoint that is no longer open was released: only a rollback further out undoes the first write.
            write.savepoints = tuple(_common_start(write.savepoints, savepoints))
        if unit is not None and write not in unit.open_writes:
            unit.hold(write)
        self.block = outermost_block(self.connection)

    def committed(self) -> None:
        for write in self._taken():
            write.committed()

    def rolled_back(self, savepoint: str | None = None) -> None:
        """Take the pins back: those since `savepoint`, or all of them."""
        for write in self._taken() if savepoint is None else self._taken_since(savepoint):
            write.rolled_back()

    def is_open(self) -> bool:
        """Return whether a commit or a rollback is still to come. That of a `TestCase` does not count."""
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
    """The open transactions of this thread's connections that have written."""

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
    """Make the pins of the open transaction pins for good: it is committed, or may be."""
    transaction = connection.__dict__.get(KEY)
    if transaction is not None:
        transaction.committed()


def written_here() -> list[str]:
    """Return the aliases of this thread's open transactions that have written.

    The transactions in which Django's `TestCase` wraps its tests do not count.
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
            note_commit(connection)  # the commit may have reached the server
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
    """Keep the pins that are left when autocommit changes: the fate of their transaction is in doubt.

    Switching autocommit on has committed it, or it was lost with its connection, or its rollback failed.
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
