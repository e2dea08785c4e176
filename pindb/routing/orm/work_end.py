"""Ends implicit units of work where Django ends work: where it closes a connection, or looks whether to close it."""

from __future__ import annotations

import functools
from collections.abc import Callable

from django.db.backends.base.base import BaseDatabaseWrapper

from pindb.config.database_sets import live
from pindb.core.frames import end_implicit_unit, note_closed


def _ending(original: Callable[[BaseDatabaseWrapper], None]) -> Callable[[BaseDatabaseWrapper], None]:
    @functools.wraps(original)
    def method(connection: BaseDatabaseWrapper) -> None:
        try:
            original(connection)
        finally:
            if connection.connection is None:
                note_closed(connection)
            db_set = None if live.config is None else live.config.owners.get(connection.alias)
            if db_set is not None:
                end_implicit_unit(db_set, connection.alias)

    return method


# `close_old_connections()` calls the second one for each connection, whether or not it closes it then.
for _name in ("close", "close_if_unusable_or_obsolete"):
    setattr(BaseDatabaseWrapper, _name, _ending(getattr(BaseDatabaseWrapper, _name)))
