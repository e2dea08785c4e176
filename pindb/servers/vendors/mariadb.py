"""MariaDB 10.6+ with GTID replication: the last transaction of each replication domain, and the server that wrote it.

The writing server takes the place of a timeline: once another server is the master, the last transaction that replicas
have replayed is one of that server's, and a position of the old master's is not comparable any more. Sequence numbers
alone would be: the new master goes on counting where it stood, whatever of the old one's it never got.

MariaDB has no identity of a cluster: two unrelated ones whose masters share domain and server id look alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pindb.core.pins import Position
from pindb.servers.vendors.base import ReplicaPosition

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# Both begin with `base.QUERY_MARKER`, and everybody may ask them.
WRITTEN: Final = "/* pindb */ SELECT @@gtid_binlog_pos"
REPLAYED: Final = "/* pindb */ SELECT @@gtid_slave_pos"


class MariaDB:
    """See `Vendor`."""

    def written(self, connection: BaseDatabaseWrapper) -> Position:
        return _asked(connection, WRITTEN)

    def replayed(self, connection: BaseDatabaseWrapper) -> ReplicaPosition:
        return ReplicaPosition(_asked(connection, REPLAYED))

    def connected_address(self, connection: BaseDatabaseWrapper) -> str | None:  # noqa: ARG002 - the protocol's
        return None


def _asked(connection: BaseDatabaseWrapper, query: str) -> Position:
    with connection.cursor() as cursor:
        cursor.execute(query)
        (text,) = cursor.fetchone()
    gtids = [gtid.strip().split("-") for gtid in (text or "").split(",") if gtid.strip()]
    return {f"m{domain}.{server}": int(sequence) for domain, server, sequence in gtids}
