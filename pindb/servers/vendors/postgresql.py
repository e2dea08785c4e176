"""PostgreSQL 13+, standbys by streaming replication: a place in the WAL, of one cluster and timeline.

All of it may be asked by a role without privileges. The identity is that of `pg_control_system()`, which every
physical copy of a cluster shares. The timeline of a master is part of the name of its current WAL file. A standby does
not tell that of the record it replays. Its WAL receiver tells which one it receives, but only to members of
`pg_read_all_stats`; to others the control file tells which one it was on when that was last written, within minutes of
a failover. So an answer without the receiver's word is not certain, and somebody has to ask the master as well.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from pindb.core.pins import Position
from pindb.servers.vendors.base import ReplicaPosition

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# Both begin with `base.QUERY_MARKER`. The position is that of insertion: with synchronous_commit = off, what is committed need
# not be written yet.
WRITTEN: Final = """/* pindb */
SELECT pg_current_wal_insert_lsn() - '0/0', current_setting('wal_block_size')::int,
       system_identifier, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
       to_regproc('aurora_version') IS NOT NULL
FROM pg_control_system()"""

REPLAYED: Final = """/* pindb */
SELECT pg_last_wal_replay_lsn() - '0/0', pg_is_in_recovery(), system_identifier,
       greatest(timeline_id, min_recovery_end_timeline), (SELECT max(received_tli) FROM pg_stat_wal_receiver),
       host(inet_server_addr()), inet_server_port()
FROM pg_control_system(), pg_control_checkpoint(), pg_control_recovery()"""

PAGE_HEADER: Final = 40
"""Bytes at the start of a WAL page in which no record ends: the long header; the short one and less than a record."""


class PostgreSQL:
    """See `Vendor`."""

    def written(self, connection: BaseDatabaseWrapper) -> Position:
        with connection.cursor() as cursor:
            cursor.execute(WRITTEN)
            lsn, block, system, timeline, is_aurora = cursor.fetchone()
        if is_aurora:  # its readers replay no WAL, so no pin would end with a position
            return {}
        lsn = int(lsn)
        if lsn % block <= PAGE_HEADER:
            # Just behind the header of a page with nothing on it yet: no standby reports that before the next record.
            lsn -= lsn % block
        return {_source(system, int(timeline, 16)): lsn}

    def replayed(self, connection: BaseDatabaseWrapper) -> ReplicaPosition:
        with connection.cursor() as cursor:
            cursor.execute(REPLAYED)
            lsn, in_recovery, system, timeline, received, host, port = cursor.fetchone()
        server = None if host is None else f"{host} {port}"
        if not in_recovery or lsn is None:
            return ReplicaPosition({}, server)
        position = {_source(system, max(timeline, received or 0)): int(lsn)}
        return ReplicaPosition(position, server, timeline_confirmed=received is not None)

    def connected_address(self, connection: BaseDatabaseWrapper) -> str | None:
        info = connection.connection.info
        # psycopg2 knows the name only: an address where the settings have one.
        host = getattr(info, "hostaddr", None) or info.host
        return f"{host} {info.port}" if host else None


def _source(system: int, timeline: int) -> str:
    name = base64.urlsafe_b64encode((system % 2**64).to_bytes(8, "big")).decode().rstrip("=")
    return f"p{name}.{timeline:x}"
