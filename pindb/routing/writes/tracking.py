"""Makes pins. A question to the router where to write announces a pin, and a statement that has written makes it.

Django also asks for `Order(customer=customer)` and `form.is_valid()`, which write nothing. After such a question the
unit of work reads the master to its end, and hands nothing on. A rollback takes back the pins of its transaction.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from django.db import connections

from pindb import events
from pindb.config.database_sets import Config, DbSet, current_config, live
from pindb.config.tables import UNKNOWN_TABLE
from pindb.core.frames import Frame, ReadFrom, current_frame, frame_var
from pindb.core.open_writes import REFUSED, is_written, note_commit, note_write
from pindb.core.pins import Origin, PinnedBy
from pindb.core.unit_of_work import UnitOfWork
from pindb.exceptions import PinDbConfigError
from pindb.lines import calling_line
from pindb.routing.writes.statements import NEVER, QUERY, WRITE, Commits, Effect, row_count_tells, table_of
from pindb.servers.vendors.base import QUERY_MARKER

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def record_pin(config: Config, unit: UnitOfWork, db_set: DbSet, alias: str, *, as_new: bool) -> None:
    """Pin `db_set` in `unit`; with `as_new` the pin is handed on. The writes come over this thread's `alias`."""
    unit.pin(db_set, as_new=as_new, origin=origin(unit, db_set.name, PinnedBy.HAND))
    unit.activity.mark_changed(db_set.name)
    if config.settings.positions and alias in connections.settings:
        # A write in an open transaction has no position yet.
        unit.activity.add_connection(db_set.name, connections[alias])


def origin(unit: UnitOfWork, name: str, by: PinnedBy) -> Origin | None:
    """Return where a pin that is made now comes from: the line of code only while somebody wants it.

    None: `unit` knows the first cause of its pin of this DB set.
    """
    if name in unit.origins:
        return None
    return Origin(by, calling_line()) if live.listeners or events.wants_lines else UNSEEN[by]


UNSEEN: Final = {by: Origin(by) for by in PinnedBy}


def note_statement(
    connection: BaseDatabaseWrapper, effect: Effect, sql: Any, cursor: Any = None, error: BaseException | None = None
) -> None:
    """Note that `sql`, which has this effect, has run on `connection`, and perhaps failed with `error`.

    `cursor` is None unless its row count is that of `sql` alone.
    """
    config = live.config or _config()
    db_set = None if config is None else config.owners.get(connection.alias)
    if config is None or db_set is None or not config.settings.enabled:
        return
    positions = config.settings.positions
    if positions and effect is not WRITE and isinstance(sql, str) and sql.startswith(QUERY_MARKER):
        return
    if effect.writes:
        written = written_by(db_set, effect, sql)
        frame = frame_var.get()
        if frame is None or frame.owner is None:
            frame = current_frame()
        frame.unit.extend()  # an implicit unit of work ends some time after its last write, also inside an override
        # A write to a table on the master only pins nothing. But a task that is published before its commit may look
        # for the row.
        for part in written or (db_set,):
            if positions and written:
                _note_change_by_write(frame, connection, part)
            pins = written and (not frame.overrides or frame.overrides.get(part.name) is not ReadFrom.MASTER)
            unit = frame.unit if pins else None
            if connection.in_atomic_block or not connection.autocommit:
                if not is_written(connection, part.name, unit) and not _wrote_nothing(effect, sql, cursor, error):
                    if unit is not None:
                        unit.pin(part, as_new=False, origin=origin(unit, part.name, PinnedBy.WRITE))
                    note_write(connection, part.name, unit)
            elif (
                unit is not None and part.name not in unit.pins_made and not _wrote_nothing(effect, sql, cursor, error)
            ):
                unit.pin(part, as_new=True, origin=origin(unit, part.name, PinnedBy.WRITE))
    elif positions and (effect is not QUERY or config.settings.monotonic_reads):
        _note_change_by_read(connection, db_set)
    if effect is not WRITE:
        _note_commit(connection, effect)


def _note_commit(connection: BaseDatabaseWrapper, effect: Effect) -> None:
    commits = effect.commits
    if commits is not NEVER and (commits is Commits.PERHAPS or not connection.features.can_rollback_ddl):
        note_commit(connection)


def written_by(db_set: DbSet, effect: Effect, sql: Any) -> tuple[DbSet, ...]:
    """Return what a statement on the master of `db_set` pins: the whole, or a part that is treated apart.

    Where the statement does not tell its table, all of them.
    """
    by_table = db_set.pinned_by_table
    if not by_table:
        return (db_set,)
    table = table_of(sql) if effect is WRITE and type(sql) is str else UNKNOWN_TABLE
    if table in by_table:
        return by_table[table]
    return by_table[UNKNOWN_TABLE] if table.lower() in by_table else (db_set,)  # MySQL and SQLite may ignore case


def _config() -> Config | None:
    try:
        return current_config()
    except PinDbConfigError:  # the checks say so
        return None


def _wrote_nothing(effect: Effect, sql: Any, cursor: Any, error: BaseException | None) -> bool:
    """Return whether a statement that may write has certainly written nothing."""
    if effect is not WRITE or cursor is None:
        return False
    if error is not None:
        return isinstance(error, REFUSED)
    return cursor.rowcount == 0 and row_count_tells(sql)


def _note_change_by_write(frame: Frame, connection: BaseDatabaseWrapper, db_set: DbSet) -> None:
    _note_change(frame, connection, db_set.name)
    if frame.unit.announced:  # this thread has made its announced write: a position of now includes it
        frame.unit.announced.discard((db_set.name, threading.get_ident()))


def _note_change_by_read(connection: BaseDatabaseWrapper, db_set: DbSet) -> None:
    frame = frame_var.get()
    if frame is not None:
        _note_change(frame, connection, connection.alias if connection.alias in db_set.replicas else db_set.name)


def _note_change(frame: Frame, connection: BaseDatabaseWrapper, server: str) -> None:
    """Note a statement on a server: the log positions that were asked for before it are too old now."""
    change = object()
    activity = frame.unit.activity[server]
    activity.connections.add(connection)
    activity.change = change
    outer = frame.parent
    while outer is not None:
        # Both units of work, this one and the one around it, may publish next, and need a newer position.
        outer.unit.activity[server].change = change
        outer = outer.parent
