"""Tells whether this thread has a transaction open on a master. Every unpinned read asks, so it has to be cheap."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, final

from django.db import connections
from django.utils.connection import ConnectionDoesNotExist

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


@final
class ReplicaUnlessInTransaction:
    """A unit of work reads this replica, and this master while the master has a transaction open."""

    __slots__ = ("master", "replica")

    def __init__(self, replica: str, master: str) -> None:
        self.replica: Final = replica
        self.master: Final = master


CACHE_SIZE: Final = 64


class _ConnectionCache(threading.local):
    """The connection objects of this thread, by a key that stands for "this master in this unit of work".

    `connections[alias]` costs 0.5 us, as much as a whole routing decision. Django keeps one object for each alias and
    thread, but tests replace it. So it is cached for one unit of work only.
    """

    def __init__(self) -> None:
        self.connections: dict[object, BaseDatabaseWrapper] = {}


connection_cache: Final = _ConnectionCache()


TESTCASE: Final = object()
"""Stands for the transactions in which Django's `TestCase` wraps its tests."""


def outermost_block(connection: BaseDatabaseWrapper) -> object:
    """Return what stands for the outermost `atomic()` on `connection`, besides those of a `TestCase`.

    None if there is none. Inside a `TestCase` it is a savepoint, which tells two calls of one decorated function apart.
    """
    blocks, savepoints = connection.atomic_blocks, connection.savepoint_ids
    if not blocks:
        return None
    if not getattr(blocks[0], "_from_testcase", False):
        return blocks[0]
    for depth, block in enumerate(blocks):
        if not getattr(block, "_from_testcase", False):
            return savepoints[depth - len(blocks)] or block
    return TESTCASE


def in_atomic(alias: str, key: object) -> bool:
    """Return whether this thread is inside `atomic()` on `alias`.

    From now on `connection_cache.connections[key]` tells as well.
    """
    try:
        connection = connections[alias]
    except ConnectionDoesNotExist:
        return False
    if len(connection_cache.connections) >= CACHE_SIZE:
        connection_cache.connections.clear()
    connection_cache.connections[key] = connection
    return connection.in_atomic_block


def in_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a transaction is open. Its writes have no log position yet, and a failing query would end it."""
    raw = connection.connection
    if connection.in_atomic_block or raw is None:
        return connection.in_atomic_block
    return not connection.autocommit or _driver_is_in_transaction(raw)


IN_TRANSACTION: Final = (1, 2, 3)
"""libpq's `PQTRANS_ACTIVE`, `PQTRANS_INTRANS` and `PQTRANS_INERROR`. The first: a statement is still being streamed."""


def _driver_is_in_transaction(raw: Any) -> bool:
    """Ask psycopg about a transaction that Django has not begun: `BEGIN`, or `transaction()` of psycopg's connection.

    It knows without a question to the server. A statement whose rows are being streamed, and a pipeline, commit as they
    end; a question on that connection would wait for itself. Other drivers do not tell.
    """
    if getattr(getattr(raw, "info", None), "transaction_status", 0) in IN_TRANSACTION:
        return True
    return bool(getattr(getattr(raw, "pgconn", None), "pipeline_status", 0))
