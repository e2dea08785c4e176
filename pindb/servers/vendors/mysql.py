"""Everything that pindb says to MySQL 8.0+: it tells its lag, which wants the privilege REPLICATION CLIENT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pindb.servers.vendors.base import Identity, Report

IDENTITY: Final = "SELECT DATABASE(), @@server_uuid"
LOSSES: Final = frozenset({1040, 1053, 1927, 2002, 2003, 2006, 2013, 2055})
"""Codes of a server, MariaDB included, that is gone, going or full. 1317 is a timeout, or a cancelled query."""

STATUS: Final = "SHOW REPLICA STATUS"


class MySQL:
    """See `base.Vendor`: pindb asks MySQL for no log positions, so its DB sets have timed pins."""

    probe_options: Final[Mapping[str, Any]] = {"connect_timeout": 1, "read_timeout": 1, "write_timeout": 1}

    def follows(self, cursor: Any) -> bool:  # noqa: ARG002 - only SHOW REPLICA STATUS tells, which wants a privilege
        return True

    def replica_report(self, cursor: Any, max_lag: float | None) -> Report:  # noqa: ARG002 - the server measures the lag
        cursor.execute(STATUS)
        row = cursor.fetchone()
        if row is None:
            return Report(follows=False)
        status = dict(zip((column[0] for column in cursor.description), row, strict=True))
        seconds = status.get("Seconds_Behind_Source")
        if seconds is None:
            return Report(why="it is not replicating from its source")
        return Report(lag=float(seconds))

    def master_report(self, cursor: Any) -> Report:  # noqa: ARG002 - nothing to ask
        return Report(follows=False)

    def identity(self, cursor: Any) -> Identity:
        cursor.execute(IDENTITY)
        database, server = cursor.fetchone()
        return Identity(database, None, server)
