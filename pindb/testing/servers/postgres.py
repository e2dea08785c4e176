"""One running PostgreSQL server as the tests see it: a master, or a standby whose replay they control."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from pindb.testing.servers.processes.kept import Kept
from pindb.testing.servers.processes.ports import HOST
from pindb.testing.servers.processes.waiting import wait_until

SUPERUSER = "postgres"


class PostgresServer:
    """A server that is ready to answer."""

    def __init__(self, name: str, process: Kept, port: int) -> None:
        self.name = name
        self.process = process
        self.port = port

    def settings(self, database: str) -> dict[str, Any]:
        """Return the entry of Django's ``DATABASES`` for a database on this server."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": database,
            "USER": SUPERUSER,
            "PASSWORD": "",
            "HOST": HOST,
            "PORT": self.port,
        }

    def execute(
        self,
        query: str | sql.Composed,
        parameters: Sequence[object] | None = None,
        *,
        database: str = "postgres",
    ) -> list[tuple[Any, ...]]:
        """Run one statement on a connection of its own, in autocommit; return its rows, if it has any."""
        statement = query.encode() if isinstance(query, str) else query
        with (
            psycopg.connect(host=HOST, port=self.port, user=SUPERUSER, dbname=database, autocommit=True) as connection,
            connection.execute(statement, parameters) as cursor,
        ):
            return cursor.fetchall() if cursor.description else []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} on port {self.port}>"


class Standby(PostgresServer):
    """A streaming standby."""

    def set_lag(self, seconds: float) -> None:
        """Have commits applied this long after they were made on the master; return when that is in force."""
        milliseconds = round(seconds * 1000)
        value = sql.Literal(f"{milliseconds}ms")
        self.execute(sql.SQL("ALTER SYSTEM SET recovery_min_apply_delay = {}").format(value))
        self.execute("SELECT pg_reload_conf()")
        question = "SELECT setting::int FROM pg_settings WHERE name = 'recovery_min_apply_delay'"
        wait_until(
            lambda: self.execute(question) == [(milliseconds,)],
            timeout=10,
            what=f"{self.name} reports recovery_min_apply_delay = {milliseconds} ms",
        )

    def pause_replay(self, timeout: float = 30.0) -> None:
        """Stop applying what the master sends; return when replay stands still.

        A commit that waits out its lag is not interrupted, so ``timeout`` has to exceed the lag.
        """
        self.execute("SELECT pg_wal_replay_pause()")
        # An idle server looks at the request only when something wakes it up; a reload does.
        self.execute("SELECT pg_reload_conf()")
        wait_until(lambda: self._pause_state() == "paused", timeout, lambda: f"{self.name} pauses; {self.position()}")

    def resume_replay(self) -> None:
        """Apply again what the master sends."""
        self.execute("SELECT pg_wal_replay_resume()")

    def promote(self) -> None:
        """Become a master, on a timeline of its own."""
        assert self.execute("SELECT pg_promote()") == [(True,)]

    def follow(self, master: PostgresServer) -> None:
        """Follow ``master`` from here on, onto its timeline."""
        source = sql.Literal(f"host={HOST} port={master.port} user={SUPERUSER} application_name={self.name}")
        self.execute(sql.SQL("ALTER SYSTEM SET primary_conninfo = {}").format(source))
        self.execute("SELECT pg_reload_conf()")

    def has_replayed(self, lsn: str) -> bool:
        """Tell whether everything up to this position is visible here."""
        return self.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [lsn]) == [(True,)]

    def position(self) -> str:
        """Describe how far this standby is, for error messages."""
        [(received, replayed, lag)] = self.execute(
            "SELECT pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), current_setting('recovery_min_apply_delay')"
        )
        return f"{self.name}: received {received}, replayed {replayed}, lag {lag}, {self._pause_state()}"

    def _pause_state(self) -> str:
        return str(self.execute("SELECT pg_get_wal_replay_pause_state()")[0][0])
