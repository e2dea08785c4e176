"""Everything that pindb says to MariaDB 10.6+ with GTID replication.

A log position is, for each replication domain, the sequence number of the last transaction and the server that wrote
it. Everybody may ask for it; the lag wants the privilege REPLICA MONITOR.

The writing server takes the place of a timeline. Once another server is the master, the last transaction that replicas
have replayed is one of that server's, and a position of the old master cannot be compared with it any more. Sequence
numbers alone could be compared, wrongly: the new master goes on counting where it stood, even if it lacks some of the
old master's transactions.

MariaDB has no identity of a cluster: two unrelated ones whose masters share domain and server id look alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pindb.core.pins import PinnedPosition, Position
from pindb.servers.vendors.base import Privileges, ReplicaPosition, Report, Translation
from pindb.servers.vendors.gtid_vendor import STATUS, GtidVendor, first_row, is_direct

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# The first four begin with `base.QUERY_MARKER`.
WRITTEN: Final = "/* pindb */ SELECT @@gtid_binlog_pos"
REPLAYED: Final = "/* pindb */ SELECT @@gtid_slave_pos, @@hostname, @@port, @@server_id, CONNECTION_ID()"
# The second names the last transaction in the binary log of each server that ever was the master.
SURVIVED: Final = "/* pindb */ SELECT @@gtid_binlog_pos, @@gtid_binlog_state"
# It compares sequence numbers only, and may be satisfied by those of another server: the answer says nothing.
WAIT: Final = "/* pindb */ SELECT MASTER_GTID_WAIT(%s, %s)"
MASTER: Final = "SELECT @@gtid_binlog_pos"
REPLICA: Final = "SELECT @@gtid_slave_pos"
IDENTITY: Final = "SELECT DATABASE(), CONCAT(@@hostname, ':', @@port, ', server_id ', @@server_id)"


class MariaDB(GtidVendor):
    """See `base.LogVendor`."""

    identity_query = IDENTITY
    privileges: Final = Privileges(lag="GRANT REPLICA MONITOR ON *.* TO {}")

    def written(self, connection: BaseDatabaseWrapper) -> Position:
        return _position(first_row(connection, WRITTEN)[0])

    def replayed(self, connection: BaseDatabaseWrapper) -> ReplicaPosition:
        text, host, port, server_id, thread = first_row(connection, REPLAYED)
        return ReplicaPosition(_position(text), f"{host} {port} {server_id}", direct=is_direct(connection, thread))

    def is_earlier(self, log: str, than: str) -> bool:
        return log != than and log.partition(".")[0] == than.partition(".")[0]

    def translate(self, connection: BaseDatabaseWrapper, log: str) -> Translation:
        written, state = map(_position, first_row(connection, SURVIVED))
        position = {later: sequence for later, sequence in written.items() if self.is_earlier(log, later)}
        # Later transactions of that server have been lost.
        return Translation(position, state.get(log, -1) if position else -1)

    def wait(self, connection: BaseDatabaseWrapper, positions: Sequence[PinnedPosition], seconds: float) -> bool:
        gtids = [f"{pinned.log.removeprefix('m').replace('.', '-')}-{pinned.offset}" for pinned in positions]
        first_row(connection, WAIT, [",".join(gtids), seconds])
        return True

    def replica_report(self, cursor: Any, max_lag: float | None) -> Report:  # noqa: ARG002 - the server measures the lag
        cursor.execute(STATUS)
        row = cursor.fetchone()
        if row is None:
            return Report(follows=False)
        status = dict(zip((column[0] for column in cursor.description), row, strict=True))
        cursor.execute(REPLICA)
        position = cursor.fetchone()[0] or None
        seconds = status.get("Seconds_Behind_Master")
        if seconds is None:
            return Report(position=position, why="it is not replicating from its master")
        return Report(lag=float(seconds), position=position)

    def master_report(self, cursor: Any) -> Report:
        cursor.execute(MASTER)
        return Report(follows=False, position=cursor.fetchone()[0] or None)


def _position(text: str | None) -> Position:
    gtids = [gtid.strip().split("-") for gtid in (text or "").split(",") if gtid.strip()]
    return {f"m{domain}.{server}": int(sequence) for domain, server, sequence in gtids}
