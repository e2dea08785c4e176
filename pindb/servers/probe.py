"""Asks one server, on a connection of its own, whether it follows its master and how far it is behind.

The connection of the application is not used: its first query may hang, and its settings are the user's. What the
driver has as timeouts is set on the copy, so that no probe waits for a machine that has vanished.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import DatabaseError, connections

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

FILES: Final = frozenset({"sqlite"})
"""Vendors without a server: there is nothing to ask, and no lag."""

TELLS_LAG: Final = FILES | {"postgresql", "mysql"}
"""Vendors whose lag is known."""

SECOND_SAMPLE_DELAY: Final = 0.05

TIMEOUTS: Final[dict[str, dict[str, Any]]] = {
    # Client-side ones only: PgBouncer refuses a startup packet with `options`.
    "postgresql": {
        "connect_timeout": 2,
        "tcp_user_timeout": 2000,
        "keepalives": 1,
        "keepalives_idle": 1,
        "keepalives_interval": 1,
        "keepalives_count": 3,
    },
    "mysql": {"connect_timeout": 1, "read_timeout": 1, "write_timeout": 1},
}


@dataclass(frozen=True, slots=True)
class Report:
    """What a server says of itself. `lag` in seconds is None where it cannot be told, `why` then says why."""

    follows: bool = True
    """False for a server that is no replica (any more)."""
    lag: float | None = None
    position: str | None = None
    why: str = ""


def probe_for(alias: str) -> BaseDatabaseWrapper:
    """Return a closed connection of its own to the server of `alias`, with short timeouts and no pool."""
    connection = connections[alias]
    settings = connection.settings_dict
    options = {key: value for key, value in (settings.get("OPTIONS") or {}).items() if key != "pool"}
    options.update(TIMEOUTS.get(connection.vendor, {}))
    return type(connection)({**settings, "OPTIONS": options}, alias)


def same_server(first: str, second: str) -> bool:
    """Return whether two aliases lead to one database, as where a replica's entry changes nothing: in development."""
    one, other = (connections[alias].settings_dict for alias in (first, second))
    return all(one.get(key) == other.get(key) for key in ("ENGINE", "HOST", "PORT", "NAME", "OPTIONS"))


def ask(probe: BaseDatabaseWrapper, *, lag: bool, max_lag: float | None = None) -> Report:
    """Return what the server says; `lag` tells whether to ask for it, `max_lag` what is too much of it.

    Raises what the driver raises. Django's `connect()` is not called: receivers of `connection_created` expect
    connections that the application uses.
    """
    with closing(probe.get_new_connection(probe.get_connection_params())) as connection:
        cursor = connection.cursor()
        if probe.vendor == "postgresql":
            cursor.execute("SELECT pg_is_in_recovery()")
            if cursor.fetchone() != (True,):
                return Report(follows=False)
        if not lag:
            return Report()
        try:
            with probe.wrap_database_errors:
                if probe.vendor == "postgresql":
                    return _postgresql(cursor, max_lag)
                if probe.vendor == "mysql":
                    return _mariadb(cursor)
        except DatabaseError as error:  # Aurora lacks the functions, MariaDB wants a privilege
            return Report(why=first_line(error))
        return Report(why=f"{probe.display_name} does not tell")


def ask_master(probe: BaseDatabaseWrapper) -> Report:
    """Return whether a master is one after all (`follows` says if not), and where its log stands if that can be told.

    Raises what the driver raises.
    """
    with closing(probe.get_new_connection(probe.get_connection_params())) as connection:
        cursor = connection.cursor()
        if probe.vendor not in ("postgresql", "mysql"):
            return Report(follows=False)
        if probe.vendor == "mysql":
            return Report(follows=False, position=_gtid(cursor, "gtid_binlog_pos"))
        cursor.execute(MASTER)
        follows, position = cursor.fetchone()
        return Report(follows=follows, position=position)


MASTER: Final = """
SELECT pg_is_in_recovery(), CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn()::text END
"""
# A user without privileges sees of the receiver its process id alone, so not how far the master was when it last spoke.
STANDBY: Final = """
SELECT (SELECT pid IS NOT NULL AND coalesce(status, 'streaming') = 'streaming' FROM pg_stat_wal_receiver),
       greatest(pg_last_wal_receive_lsn(), (SELECT latest_end_lsn FROM pg_stat_wal_receiver))::text,
       pg_last_wal_replay_lsn()::text,
       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()),
       pg_is_wal_replay_paused()
"""


def _postgresql(cursor: Any, max_lag: float | None) -> Report:
    def look() -> Sequence[Any]:
        cursor.execute(STANDBY)
        row: Sequence[Any] = cursor.fetchone()
        return row

    return standby_report(look, max_lag)


def standby_report(look: Callable[[], Sequence[Any]], max_lag: float | None) -> Report:
    """Return what the rows of `STANDBY` mean, `look()` being one row."""
    connected, received, replayed, age, paused = look()
    if not connected:
        return Report(position=replayed, why="it is not connected to its master")
    if paused:
        return Report(position=replayed, why="its replay is paused")
    if received is not None and lsn(replayed) >= lsn(received):
        return Report(lag=0.0, position=replayed)
    if received is not None and (age is None or max_lag is None or age > max_lag):
        # The age is that of the last commit replayed, which may be old because the master had none since. What had
        # been received by a moment ago, and is replayed now, is no older than that moment.
        began = time.monotonic()
        time.sleep(SECOND_SAMPLE_DELAY)
        _connected, _received, replayed, _age, paused = look()
        if not paused and lsn(replayed) >= lsn(received):
            return Report(lag=time.monotonic() - began, position=replayed)
    if age is None:
        return Report(position=replayed, why="it has replayed no commit since it was started")
    return Report(lag=float(age), position=replayed)


def lsn(text: str | None) -> int:
    """Return PostgreSQL's position as the number of bytes that it is."""
    high, _, low = (text or "0/0").partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def _mariadb(cursor: Any) -> Report:
    # MySQL calls master and slave source and replica.
    cursor.execute("SHOW REPLICA STATUS")
    row = cursor.fetchone()
    if row is None:
        return Report(follows=False)
    status = dict(zip((column[0] for column in cursor.description), row, strict=True))
    seconds = status.get("Seconds_Behind_Master", status.get("Seconds_Behind_Source"))
    position = _gtid(cursor, "gtid_slave_pos")
    if seconds is None:
        return Report(position=position, why="it is not replicating from its master")
    return Report(lag=float(seconds), position=position)


def _gtid(cursor: Any, variable: str) -> str | None:
    try:
        cursor.execute(f"SELECT @@{variable}")
        (position,) = cursor.fetchone()
    except Exception:  # MySQL has other ones
        return None
    return position or None


def first_line(error: BaseException) -> str:
    """Return the gist of a driver's error: hints and details follow on other lines."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
