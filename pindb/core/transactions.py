"""Whether this thread has a transaction open on a master: asked at every unpinned read, so it has to be cheap."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from django.db import connections
from django.utils.connection import ConnectionDoesNotExist

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

CACHE_SIZE: Final = 64


class _ConnectionCache(threading.local):
    """The connection objects of this thread, by whatever stands for "this master in this unit of work".

    `connections[alias]` costs 0.5 us, as much as a whole routing decision. Django keeps one object for each alias and
    thread, but tests replace them: so they are remembered for one unit of work only.
    """

    def __init__(self) -> None:
        self.connections: dict[object, BaseDatabaseWrapper] = {}


connection_cache: Final = _ConnectionCache()


def open_transaction(alias: str) -> object:
    """Return what stands for this thread's transaction on `alias`, None where there is none but a `TestCase`'s own."""
    try:
        blocks = connections[alias].atomic_blocks
    except ConnectionDoesNotExist:
        return None
    return next((block for block in blocks if not getattr(block, "_from_testcase", False)), None)


def in_atomic(alias: str, key: object) -> bool:
    """Return whether this thread is inside `atomic()` on `alias`; from now on `connection_cache.connections[key]` tells as well."""
    try:
        connection = connections[alias]
    except ConnectionDoesNotExist:
        return False
    if len(connection_cache.connections) >= CACHE_SIZE:
        connection_cache.connections.clear()
    connection_cache.connections[key] = connection
    return connection.in_atomic_block


def in_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a transaction is open: what it wrote has no position yet, and a failing query would end it."""
    return connection.in_atomic_block or (connection.connection is not None and not connection.autocommit)
