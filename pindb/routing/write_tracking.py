"""Which servers a unit of work has written to: its connections are watched, a routed write is noted."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from django.db import connections
from django.db.backends.signals import connection_created

from pindb.config.database_sets import Config, DbSet, current_config, live
from pindb.core.unit_of_work import UnitOfWork, frame_var
from pindb.exceptions import PinDbConfigError
from pindb.servers.vendors.base import QUERY_MARKER

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


SELECTED: Final = re.compile(r"""SELECT\b.*? FROM ["`]""", re.DOTALL)
"""A query of Django's, which quotes names. One by hand, `SELECT charge(5)`, may write."""


def record_pin(config: Config, unit: UnitOfWork, db_set: DbSet, alias: str, *, as_new: bool) -> None:
    """Pin `db_set` in `unit`, and note that this thread is about to write to it through its master `alias`.

    With `as_new` the pin is handed on.
    """
    if not as_new or db_set.name not in unit.newly_pinned:
        unit.pin(db_set, as_new=as_new)
    unit.activity.mark_changed(db_set.name)
    if config.settings.positions and alias in connections.settings:
        connection = connections[alias]
        unit.activity.add_connection(db_set.name, connection)  # whatever writes: COPY, say, runs past the watch
        watch(connection)


def watch(connection: BaseDatabaseWrapper) -> None:
    """Note from now on what runs on `connection` in the trail of the unit of work that runs it."""
    if _note not in connection.execute_wrappers:
        # First in the list: `with connection.execute_wrapper()` takes away the last.
        connection.execute_wrappers.insert(0, _note)


def _note(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    try:
        return execute(sql, params, many, context)
    finally:
        frame, server = frame_var.get(), _place(context["connection"], str(sql))
        if frame is not None and server is not None:
            frame.unit.activity.add_connection(server, context["connection"])
            # One inside another one has pins of its own, but what it writes comes before what both publish next.
            while frame is not None:
                frame.unit.activity.mark_changed(server)
                frame = frame.parent


def _place(connection: BaseDatabaseWrapper, sql: str) -> str | None:
    """Return where `sql` makes positions void, None where nowhere."""
    config = live.config
    owner = None if config is None else config.owners.get(connection.alias)
    if config is None or owner is None or sql.startswith(QUERY_MARKER):
        return None
    if connection.alias in owner.replicas:
        return connection.alias
    return owner.name if config.settings.monotonic_reads or not SELECTED.match(sql) else None


def _connected(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Watch what is read, in every thread, where it has to be handed on."""
    try:
        config = current_config()
    except PinDbConfigError:
        return  # the checks say so
    if config.settings.positions and config.settings.monotonic_reads and connection.alias in config.owners:
        watch(connection)


connection_created.connect(_connected, dispatch_uid="pindb.handover", weak=False)
