"""A read that its replica cannot finish is repeated on the master.

The replica may be lost while a read runs on it: killed, shut down, cut off. It may refuse a connection in the middle of
a unit of work, or cancel a read that stands in the way of replication. None of these is an error of the application.

A read is repeated once, and only if nobody can tell the difference:

- the router has chosen the replica: `.using("default-1")` and raw cursors get the error;
- no transaction is open on the replica;
- no row has been handed out. So `iterator()` fetches its first rows here, before it returns;
- it ran for less than `REPEATED_WITHIN` seconds, or did not even get a connection;
- it is not a report inside `unpinned_replica()` that was cancelled for a conflict: the master would have to do each.

From then on the unit of work reads the master of the DB set, and pins nothing. If the master fails, too, its error is
raised, with the replica's as its `__context__`.

Django has no hook for this: an execute wrapper sees no server-side cursor and no connection that is refused, and cannot
tell whose read it is. So `SQLCompiler.execute_sql` and `RawQuery._execute_query` are replaced when a router is built.

Tested on Django 5.2, 6.0 and 6.1. `PINDB_RETRY_ON_MASTER = False` leaves all of it out.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from django.db import Error, connections

from pindb.config.aliases import RoutedReplica
from pindb.config.database_sets import current_config
from pindb.core.frames import ReadFrom, forget_decisions
from pindb.core.transactions import in_transaction
from pindb.exceptions import first_line
from pindb.routing.orm.patching import Patches
from pindb.routing.rules import current_frame_for, routing_key
from pindb.routing.writes.statements import effect_of
from pindb.servers import health
from pindb.servers.vendors.read_failures import ReadFailure, driver_error, read_failure

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

REPEATED_WITHIN: Final = 5.0
"""A read that ran longer, in seconds, before it failed is not repeated: the master is not there for long reports."""

_patches: Final = Patches()
uninstall: Final = _patches.undo


def install() -> None:
    """Replace the attributes; twice is once. Not at import: `import pindb` loads no models."""
    from django.db.models.sql.compiler import SQLCompiler  # noqa: PLC0415
    from django.db.models.sql.query import RawQuery  # noqa: PLC0415

    _patches.replace(SQLCompiler, "execute_sql", _execute_sql)
    _patches.replace(RawQuery, "_execute_query", _execute_query)


def _execute_sql(original: Callable[..., Any]) -> Callable[..., Any]:
    from django.db.models.sql.constants import CURSOR, GET_ITERATOR_CHUNK_SIZE, MULTI, SINGLE  # noqa: PLC0415

    reads = (MULTI, SINGLE, CURSOR)

    @functools.wraps(original)
    def execute_sql(
        compiler: Any, result_type: str = MULTI, chunked_fetch: bool = False, chunk_size: int = GET_ITERATOR_CHUNK_SIZE
    ) -> Any:
        if type(compiler.using) is not RoutedReplica:
            return original(compiler, result_type, chunked_fetch, chunk_size)
        began = monotonic()
        try:
            result = original(compiler, result_type, chunked_fetch, chunk_size)
            return _with_first_rows(result) if chunked_fetch else result
        except Exception as error:
            replica = compiler.using
            model = compiler.query.model
            if result_type not in reads or not _leave_failed_replica(replica, compiler.connection, error, began, model):
                raise
            compiler.using, compiler.connection = replica.master, connections[replica.master]
            return original(compiler, result_type, chunked_fetch, chunk_size)

    return execute_sql


def _with_first_rows(chunks: Any) -> Any:
    """Return `chunks`, the first of them fetched already. A list is complete, and stays a list."""
    if isinstance(chunks, list):
        return chunks
    first = next(chunks, None)
    return iter(()) if first is None else chain((first,), chunks)


def _execute_query(original: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(original)
    def execute_query(query: Any) -> None:
        replica = query.using
        if type(replica) is not RoutedReplica:
            return original(query)
        began = monotonic()
        try:
            return original(query)
        except Exception as error:
            # What a replica refuses to write it must not have the master write.
            if effect_of(query.sql).writes or not _leave_failed_replica(replica, connections[replica], error, began):
                raise
            query.using = replica.master
            return original(query)

    return execute_query


def _leave_failed_replica(
    replica: RoutedReplica, connection: BaseDatabaseWrapper, error: Exception, began: float, model: Any = None
) -> bool:
    """Have the unit of work leave the replica if the read that raised `error` is to be repeated; return whether it is.

    Then the failure is noted, and the connection closed if the replica is lost.
    `model` is what was read, None if nobody knows.
    """
    config = current_config()
    db_set = config.owners.get(replica)
    if db_set is None or not config.settings.retry_on_master or in_transaction(connection):
        return False
    failure = read_failure(connection, error)
    if failure is None or (connection.connection is not None and monotonic() - began > REPEATED_WITHIN):
        return False
    frame = current_frame_for(config)
    is_conflict = failure is ReadFailure.CONFLICT
    read = config.by_key[routing_key(config, model, str(replica))]
    if is_conflict and frame.overrides.get(read.name) is ReadFrom.REPLICA:
        return False
    frame.unit.leave_replica(db_set)
    forget_decisions(frame.unit)
    health.note_failed_read(
        str(replica), db_set, first_line(driver_error(connection, error) or error), doubted=not is_conflict
    )
    if not is_conflict:
        # Not more is suppressed: Celery's time limits, for one, are raised wherever the code is.
        with contextlib.suppress(Error, OSError, connection.Database.Error):  # type: ignore[attr-defined]
            connection.close()
    return True
