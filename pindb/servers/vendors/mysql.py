"""Everything that pindb says to MySQL 8.0+ with GTID replication.

A log position is the set of the transactions that a server has executed (see `gtid_sets`). A transaction keeps its name
on every server, so positions can be compared across a failover without a question: what was lost with an old master is
in no set. Everybody may ask for the set; the lag wants the privilege REPLICATION CLIENT. Nobody without a privilege
learns whether a server is a replica.

MySQL has no identity of a cluster, and needs none here: no two servers have one UUID.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pindb.core.pins import PinnedPosition, Position
from pindb.servers.vendors.base import Privileges, ReplicaPosition, Report, Translation
from pindb.servers.vendors.gtid_sets import Executed, as_text, fits, intervals, of_server, position_of, source_of
from pindb.servers.vendors.gtid_vendor import STATUS, GtidVendor, first_row, is_direct

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

LOSSES: Final = frozenset({1040, 1053, 1203, 1927, 2002, 2003, 2006, 2013, 2055, 3032, 4031})
"""Codes of a server, MariaDB included, that is gone, going or full, or has hung up."""

INTERRUPTED: Final = 1317
"""A timeout, a cancelled query, or a shutdown: then the connection is closed next."""

# These begin with `base.QUERY_MARKER`. Only with gtid_mode = ON is every transaction sure to have a GTID.
WRITTEN: Final = """/* pindb */
SELECT @@GLOBAL.gtid_mode = 'ON' AND @@GLOBAL.log_bin, @@server_uuid, @@GLOBAL.gtid_executed"""
# The members of a group (Group Replication, InnoDB Cluster) write in its name. The variable is there with the plugin.
GROUP: Final = """/* pindb */
SELECT variable_value FROM performance_schema.global_variables WHERE variable_name = 'group_replication_group_name'"""
REPLAYED: Final = "/* pindb */ SELECT @@GLOBAL.gtid_executed, @@server_uuid, CONNECTION_ID()"
WAIT: Final = "/* pindb */ SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s)"
EXECUTED: Final = "SELECT @@GLOBAL.gtid_executed"
IDENTITY: Final = "SELECT DATABASE(), @@server_uuid"


class MySQL(GtidVendor):
    """See `base.LogVendor`."""

    identity_query = IDENTITY
    privileges: Final = Privileges(lag="GRANT REPLICATION CLIENT ON *.* TO {}")

    def written(self, connection: BaseDatabaseWrapper) -> Position:
        """Return the position of a master, as in the protocol; a second round trip where the set has many logs.

        Where these are too many for a message, only those count that this master may have written: its own and its
        group's.
        """
        has_gtids, uuid, text = first_row(connection, WRITTEN)
        logs = list(intervals(text)) if has_gtids else []
        if not fits(logs):
            group = first_row(connection, GROUP)
            writers = {source_of(name) for name in (uuid, *(group or ())) if name}
            logs = [each for each in logs if any(of_server(each, writer) for writer in writers)]
        return position_of(logs)

    def replayed(self, connection: BaseDatabaseWrapper) -> ReplicaPosition:
        text, uuid, thread = first_row(connection, REPLAYED)
        # What the server has written itself, as a former master or by accident, is not what the next replica may lack.
        logs, own = list(intervals(text)), source_of(uuid)
        others = [each for each in logs if not of_server(each, own)]
        return ReplicaPosition(
            Executed(logs), uuid, direct=is_direct(connection, thread), handed_on=position_of(others)
        )

    def is_earlier(self, log: str, than: str) -> bool:  # noqa: ARG002 - a failover changes nothing about a log
        return False

    def translate(self, connection: BaseDatabaseWrapper, log: str) -> Translation:  # noqa: ARG002
        return Translation({}, -1)

    def wait(self, connection: BaseDatabaseWrapper, positions: Sequence[PinnedPosition], seconds: float) -> bool:
        sets = [text for text in map(as_text, positions) if text]
        if len(sets) < len(positions):
            return False
        first_row(connection, WAIT, [",".join(sets), seconds])
        return True

    def replica_report(self, cursor: Any, max_lag: float | None) -> Report:  # noqa: ARG002 - the server measures the lag
        cursor.execute(STATUS)
        column = [name for name, *_ in cursor.description].index("Seconds_Behind_Source")
        lags = [row[column] for row in cursor.fetchall()]  # one for each source
        if not lags:
            return Report(follows=False)
        position = _executed(cursor)
        if None in lags:
            return Report(position=position, why="it is not replicating from its source")
        return Report(lag=float(max(lags)), position=position)

    def master_report(self, cursor: Any) -> Report:
        return Report(follows=False, position=_executed(cursor))


def _executed(cursor: Any) -> str | None:
    cursor.execute(EXECUTED)
    return cursor.fetchone()[0].replace("\n", "") or None
