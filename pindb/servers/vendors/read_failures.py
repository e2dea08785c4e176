"""Which errors of a replica mean that it could not finish a read, while another server may.

It is gone or going, it refuses its clients, or it has cancelled the read for the sake of replication. A timeout and a
query that somebody has cancelled are no such errors: the master would be asked for the same again.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from django.db import Error

from pindb import interrupts
from pindb.servers.vendors import mysql, postgresql

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


class ReadFailure(Enum):
    """What became of the replica that did not finish a read."""

    LOST = "the server or the connection to it is lost"
    CONFLICT = "the server is well; the read stood in the way of replication"


def read_failure(connection: BaseDatabaseWrapper, error: BaseException) -> ReadFailure | None:
    """Return what `error`, raised by a read on `connection`, says of its server.

    None if the read is not to be repeated: the server is not to blame, or the running code has been interrupted.
    """
    judge = _JUDGES.get(connection.vendor)
    cause = driver_error(connection, error)
    if judge is None or cause is None or any(map(_is_interrupt, _chain(error))):
        return None
    driver: Any = connection.Database  # type: ignore[attr-defined]
    return judge(connection, cause, isinstance(cause, driver.OperationalError | driver.InterfaceError))


def driver_error(connection: BaseDatabaseWrapper, error: BaseException | None) -> BaseException | None:
    """Return the error of the driver that `error`, raised by a read on `connection`, stands for; None if for none."""
    driver: Any = connection.Database  # type: ignore[attr-defined]
    while isinstance(error, Error | driver.Error):
        # Django's errors have that of the driver as their cause, but for those that Django raises itself.
        cause = error.__cause__ if isinstance(error, Error) else error
        if not isinstance(cause, driver.Error):
            return None
        if postgresql.sqlstate(cause) != postgresql.NO_SUCH_CURSOR:
            found: BaseException = cause
            return found
        error = cause.__context__
    return None


def _postgresql(_connection: BaseDatabaseWrapper, error: Any, may_lack_code: bool) -> ReadFailure | None:
    code = postgresql.sqlstate(error)
    if code is None:
        return ReadFailure.LOST if may_lack_code else None
    if code in postgresql.CONFLICTS:
        return ReadFailure.CONFLICT
    return ReadFailure.LOST if code.startswith(postgresql.LOSSES) else None


def _mysql(connection: BaseDatabaseWrapper, error: Any, may_lack_code: bool) -> ReadFailure | None:
    code = error.args[0] if error.args else 0
    if not isinstance(code, int) or code == 0:
        return ReadFailure.LOST if may_lack_code else None
    # A MySQL server that shuts down interrupts its queries, then closes their connections.
    closed = code == mysql.INTERRUPTED and (connection.connection is None or not connection.is_usable())
    return ReadFailure.LOST if closed or code in mysql.LOSSES else None


_JUDGES: Final = {"postgresql": _postgresql, "mysql": _mysql}
"""By Django's name of the vendor. SQLite has no server to lose."""


def _is_interrupt(error: BaseException) -> bool:
    return not isinstance(error, Exception) or isinstance(error, interrupts.types)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Produce `error` and all that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
