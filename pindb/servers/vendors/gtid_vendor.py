"""What pindb asks MariaDB and MySQL alike, which both replicate by GTID. Their own pages have the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pindb.servers.vendors.base import Identity

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# Without the time zone of the session, in which an hour may come twice.
CLOCK: Final = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000000"
STATUS: Final = "SHOW REPLICA STATUS"
"""It names its columns differently on the two, and MySQL has a row for each source."""


class GtidVendor:
    """The part of `base.LogVendor` in which they do not differ."""

    identity_query: ClassVar[str]
    """It tells the names of the database and of the server."""

    probe_options: Final[Mapping[str, Any]] = {"connect_timeout": 1, "read_timeout": 1, "write_timeout": 1}

    def connected_address(self, connection: BaseDatabaseWrapper) -> str | None:  # noqa: ARG002 - the protocol's
        return None

    def follows(self, cursor: Any) -> bool:  # noqa: ARG002 - only SHOW REPLICA STATUS tells, which wants a privilege
        return True

    def identity(self, cursor: Any) -> Identity:
        cursor.execute(self.identity_query)
        database, server = cursor.fetchone()
        return Identity(database, None, server)

    def clock(self, cursor: Any) -> float:
        cursor.execute(CLOCK)
        return float(cursor.fetchone()[0])


def first_row(connection: BaseDatabaseWrapper, query: str, parameters: Sequence[str | float] | None = None) -> Any:
    """Return the first row of the answer, None without one. One round trip."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchone()


def is_direct(connection: BaseDatabaseWrapper, thread: int) -> bool:
    """Return whether no proxy stands in between: one gives its clients ids of its own, and `thread` is the server's."""
    return bool(thread == connection.connection.thread_id())
