"""Everything that pindb says to PostgreSQL 13+, whose standbys follow by streaming replication.

A log position is a WAL position (LSN) of one cluster and timeline. A role without privileges may ask all of it.

The cluster is named by `pg_control_system()`, which every physical copy shares. A master's timeline is part of the name
of its current WAL file. A standby does not tell the timeline of the record that it replays. Its WAL receiver tells
which timeline it receives, but only to members of `pg_read_all_stats`. Others learn from the control file which
timeline the standby was on when that file was last written, within minutes of a failover. So an answer without the WAL
receiver's word is not confirmed, and the master has to be asked as well.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pindb.core.pins import PinnedPosition, Position
from pindb.servers.vendors.base import Identity, Privileges, ReplicaPosition, Report, Translation

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

CONFLICTS: Final = frozenset({"40001", "40P01"})
"""Codes of reads that a standby has cancelled for the sake of replication."""

LOSSES: Final = ("08", "57P01", "57P02", "57P03", "57P04", "57P05", "53300")
"""Beginnings of the codes of a server that is gone, going or full. 57014 is a timeout, or a cancelled query."""

NO_SUCH_CURSOR: Final = "34000"
"""psycopg2 closes a server-side cursor whose query has failed, and raises this in the place of that failure."""

INSUFFICIENT_PRIVILEGE: Final = "42501"

# The next two begin with `base.QUERY_MARKER`. The master's position is that of insertion: with synchronous_commit = off
# a committed record need not be written yet.
WRITTEN: Final = """/* pindb */
SELECT pg_current_wal_insert_lsn() - '0/0', current_setting('wal_block_size')::int,
       system_identifier, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
       to_regproc('aurora_version') IS NOT NULL
FROM pg_control_system()"""

REPLAYED: Final = """/* pindb */
SELECT pg_last_wal_replay_lsn() - '0/0', pg_is_in_recovery(), system_identifier,
       greatest(timeline_id, min_recovery_end_timeline), (SELECT max(received_tli) FROM pg_stat_wal_receiver),
       host(inet_server_addr()), inet_server_port(), pg_backend_pid(),
       min_recovery_end_lsn - '0/0'
FROM pg_control_system(), pg_control_checkpoint(), pg_control_recovery()"""

IDENTITY: Final = """
SELECT current_database(), system_identifier::text,
       coalesce(host(inet_server_addr()), 'of this machine') || ' ' || current_setting('port') || ', started at '
       || pg_postmaster_start_time()
FROM pg_control_system()
"""

CLOCK: Final = "SELECT extract(epoch FROM clock_timestamp())"

ROLE: Final = "SELECT pg_is_in_recovery()"

MASTER: Final = """
SELECT pg_is_in_recovery(), CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn()::text END
"""
# A user without privileges sees only the process id of the WAL receiver, and not how far the master was when it last
# spoke.
STANDBY: Final = """
SELECT (SELECT pid IS NOT NULL AND coalesce(status, 'streaming') = 'streaming' FROM pg_stat_wal_receiver),
       greatest(pg_last_wal_receive_lsn(), (SELECT latest_end_lsn FROM pg_stat_wal_receiver))::text,
       pg_last_wal_replay_lsn()::text,
       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()),
       pg_is_wal_replay_paused()
"""

PAGE_START_BYTES: Final = 40
"""Bytes at the start of a WAL page in which no record ends: the long header; the short one and less than a record."""

SECOND_SAMPLE_DELAY: Final = 0.05
"""Seconds between the two looks at a standby whose last replayed commit is old."""


class PostgreSQL:
    """See `base.LogVendor`."""

    # Options of the client alone: PgBouncer refuses a startup packet with `options`.
    probe_options: Final[Mapping[str, Any]] = {
        "connect_timeout": 2,
        "tcp_user_timeout": 2000,
        "keepalives": 1,
        "keepalives_idle": 1,
        "keepalives_interval": 1,
        "keepalives_count": 3,
    }
    privileges: Final = Privileges(
        positions="GRANT EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint(), pg_control_recovery() TO {}",
        failover="GRANT pg_read_all_stats TO {}",
    )

    def written(self, connection: BaseDatabaseWrapper) -> Position:
        with connection.cursor() as cursor:
            cursor.execute(WRITTEN)
            lsn, block, system, timeline, is_aurora = cursor.fetchone()
        if is_aurora:  # its readers replay no WAL, so no pin would end with a position
            return {}
        lsn = int(lsn)
        if lsn % block <= PAGE_START_BYTES:
            # Just behind the header of a page with nothing on it yet: no standby reports that before the next record.
            lsn -= lsn % block
        return {_log(system, int(timeline, 16)): lsn}

    def replayed(self, connection: BaseDatabaseWrapper) -> ReplicaPosition:
        with connection.cursor() as cursor:
            cursor.execute(REPLAYED)
            lsn, in_recovery, system, timeline, received, host, port, pid, floor = cursor.fetchone()
        server = None if host is None else f"{host} {port}"
        if not in_recovery or lsn is None:
            return ReplicaPosition({}, server)
        log = _log(system, max(timeline, received or 0))
        return ReplicaPosition(
            {log: int(lsn)},
            server,
            # A pooler gives its clients process ids of its own.
            direct=pid == connection.connection.info.backend_pid,
            timeline_confirmed=received is not None,
            # After a crash it lets nobody in before it has replayed so far again.
            floor={log: int(floor)},
        )

    def is_earlier(self, log: str, than: str) -> bool:
        system, _, timeline = log.rpartition(".")
        other, _, later = than.rpartition(".")
        return system == other and int(timeline, 16) < int(later, 16)

    def translate(self, connection: BaseDatabaseWrapper, log: str) -> Translation:
        position = {later: lsn for later, lsn in self.written(connection).items() if self.is_earlier(log, later)}
        # All of them: what the new master has not now is lost, and nowhere else to be found.
        return Translation(position, 2**64 if position else -1)

    def wait(self, connection: BaseDatabaseWrapper, positions: Sequence[PinnedPosition], seconds: float) -> bool:  # noqa: ARG002
        return False  # PostgreSQL 19 has WAIT FOR LSN, which could not be tried yet

    def connected_address(self, connection: BaseDatabaseWrapper) -> str | None:
        info = connection.connection.info
        # psycopg2 knows the name only: an address where the settings have one.
        host = getattr(info, "hostaddr", None) or info.host
        return f"{host} {info.port}" if host else None

    def follows(self, cursor: Any) -> bool:
        cursor.execute(ROLE)
        return bool(cursor.fetchone()[0])

    def replica_report(self, cursor: Any, max_lag: float | None) -> Report:
        connected, received, replayed, age, paused = _standby(cursor)
        if not connected:
            return _report(replayed, why="it is not connected to its master")
        if paused:
            return _report(replayed, why="its replay is paused")
        if received is not None and _bytes(replayed) >= _bytes(received):
            return _report(replayed, lag=0.0)
        if received is not None and (age is None or max_lag is None or age > max_lag):
            # The age is that of the last commit replayed, which may be old because the master had none since. A record
            # that had been received at the first look, and is replayed at the second, is no older than the first look.
            began = time.monotonic()
            time.sleep(SECOND_SAMPLE_DELAY)
            _connected, _received, replayed, _age, paused = _standby(cursor)
            if not paused and _bytes(replayed) >= _bytes(received):
                return _report(replayed, lag=time.monotonic() - began)
        if age is None:
            return _report(replayed, why="it has replayed no commit since it was started")
        return _report(replayed, lag=float(age))

    def master_report(self, cursor: Any) -> Report:
        cursor.execute(MASTER)
        follows, position = cursor.fetchone()
        return _report(position, follows=follows)

    def identity(self, cursor: Any) -> Identity:
        cursor.execute(IDENTITY)
        return Identity(*cursor.fetchone())

    def clock(self, cursor: Any) -> float:
        cursor.execute(CLOCK)
        return float(cursor.fetchone()[0])


def sqlstate(error: Any) -> str | None:
    """Return the code of an error of psycopg or psycopg2; None for another error, and where no server was reached."""
    code: str | None = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return code


def _log(system: int, timeline: int) -> str:
    name = base64.urlsafe_b64encode((system % 2**64).to_bytes(8, "big")).decode().rstrip("=")
    return f"p{name}.{timeline:x}"


def _standby(cursor: Any) -> Any:
    cursor.execute(STANDBY)
    return cursor.fetchone()


def _report(position: str | None, **rest: Any) -> Report:
    return Report(position=position, log_bytes=None if position is None else _bytes(position), **rest)


def _bytes(lsn: str | None) -> int:
    """Return an LSN, printed as `16/B374D848`, as the number of bytes that it is."""
    high, _, low = (lsn or "0/0").partition("/")
    return (int(high, 16) << 32) + int(low, 16)
