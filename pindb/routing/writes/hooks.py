"""Watches the connections to masters: each statement is noted, whether a router chose the connection or the user did.

Django's execute wrappers see `execute()` and `executemany()`. They do not see `callproc()` and COPY, so these two are
wrapped here. Nothing sees a statement that is sent over `connection.connection`, the driver's own connection.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from weakref import ReferenceType, WeakKeyDictionary, ref

from django.db import connections
from django.db.backends.signals import connection_created
from django.db.backends.utils import CursorWrapper
from django.utils.connection import ConnectionDoesNotExist

from pindb.config.database_sets import current_config, live
from pindb.exceptions import PinDbConfigError
from pindb.routing.writes.statements import CACHED_LENGTH, QUERY, Effect, effect_of, remembered
from pindb.routing.writes.tracking import note_statement

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def watch(connection: BaseDatabaseWrapper) -> None:
    """Note each statement on `connection` from now on."""
    if observe not in connection.execute_wrappers:
        # First in the list: `with connection.execute_wrapper()` takes away the last.
        connection.execute_wrappers.insert(0, observe)
    _watch_copies(connection)


def watch_alias(alias: str) -> None:
    """Watch this thread's connection to `alias`, which may be older than the import of pindb."""
    with suppress(ConnectionDoesNotExist):
        watch(connections[alias])


def observe(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Run the statement, then note its effect. This is one of Django's execute wrappers."""
    try:
        result = execute(sql, params, many, context)
    except BaseException as error:
        connection = context["connection"]
        effect = effect_of(sql, connection.connection)
        note_statement(connection, effect, sql, None if many else context["cursor"], error)
        raise
    connection = context["connection"]
    effect = (
        remembered(sql) if type(sql) is str and len(sql) <= CACHED_LENGTH else effect_of(sql, connection.connection)
    )
    if effect is QUERY:
        config = live.config
        if config is not None and not config.settings.monotonic_reads:
            return result  # most statements end here
    note_statement(connection, effect, sql, None if many else context["cursor"])
    return result


def _connected(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Watch a new connection to a master. Monotonic reads need the connections to replicas as well."""
    try:
        config = current_config()
    except PinDbConfigError:
        return  # the checks say so
    db_set = config.owners.get(connection.alias)
    if db_set is None:
        return
    if connection.alias not in db_set.replicas or (config.settings.positions and config.settings.monotonic_reads):
        watch(connection)


def _callproc(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def callproc(cursor: CursorWrapper, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(cursor, *args, **kwargs)
        finally:
            note_statement(cursor.db, Effect.OTHER, None)

    return callproc


_wrappers: Final[WeakKeyDictionary[Any, ReferenceType[BaseDatabaseWrapper]]] = WeakKeyDictionary()
"""Maps the driver's connection to Django's. A pool gives the driver's to one of Django's after the other."""


def _watch_copies(connection: BaseDatabaseWrapper) -> None:
    raw = connection.connection
    factory = getattr(raw, "cursor_factory", None)  # psycopg's
    if isinstance(factory, type):
        if not getattr(factory, "pindb_copies", False):
            raw.cursor_factory = _copying(factory)
        _wrappers[raw] = ref(connection)


@functools.cache
def _copying(factory: type[Any]) -> type[Any]:
    """Return a subclass of `factory`, a cursor class of the driver, that notes COPY and `stream()`."""

    def noted(cursor: Any, effect: Effect) -> None:
        reference = _wrappers.get(cursor.connection)
        connection = reference() if reference is not None else None
        if connection is not None:
            note_statement(connection, effect, None)

    class Copying(factory):  # type: ignore[misc]
        pindb_copies = True

        @contextmanager
        def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:  # psycopg 3
            try:
                with super().copy(statement, *args, **kwargs) as copy:
                    yield copy
            finally:
                noted(self, effect_of(statement, self.connection))

        def stream(self, query: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:  # psycopg 3
            effect = effect_of(query, self.connection)
            noted(self, effect)  # who has the first row may read; and again at the end, when it is committed
            try:
                yield from super().stream(query, *args, **kwargs)
            finally:
                noted(self, effect)

        def copy_expert(self, sql: Any, *args: Any, **kwargs: Any) -> Any:  # psycopg2
            try:
                return super().copy_expert(sql, *args, **kwargs)
            finally:
                noted(self, effect_of(sql, self.connection))

        def copy_from(self, *args: Any, **kwargs: Any) -> Any:  # psycopg2
            try:
                return super().copy_from(*args, **kwargs)
            finally:
                noted(self, Effect.WRITE)

    Copying.__name__, Copying.__qualname__, Copying.__module__ = (
        factory.__name__,
        factory.__qualname__,
        factory.__module__,
    )
    return Copying


CursorWrapper.callproc = _callproc(CursorWrapper.callproc)  # type: ignore[method-assign]
connection_created.connect(_connected, dispatch_uid="pindb.routing.writes", weak=False)
