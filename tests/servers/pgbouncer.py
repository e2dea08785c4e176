"""``PgBouncer``: a pooler in front of PostgreSQL servers, for one ``with`` block."""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pindb.testing.servers.postgres import PostgresServer
from pindb.testing.servers.processes.account import Account
from pindb.testing.servers.processes.keeping import KeptDirectory
from pindb.testing.servers.processes.kept import Kept
from pindb.testing.servers.processes.ports import HOST, start_on_free_port
from pindb.testing.servers.processes.started import Started

MISSING = "PgBouncer is not installed."
DEBIAN = "/usr/sbin/pgbouncer"
"""Which is not on everybody's PATH."""

CONFIGURATION = """
[databases]
{databases}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {pool_mode}
"""


def program() -> str | None:
    """Return the path of PgBouncer, or None."""
    return shutil.which("pgbouncer") or shutil.which(DEBIAN)


class PgBouncer(Started):
    """A pooler on a free port of 127.0.0.1. Each of its databases, by name, is `database` on one of the `servers`.

    `pool_mode` is PgBouncer's: "session", "transaction" or "statement". All clients are `user` on the servers.
    """

    def __init__(self, servers: Mapping[str, PostgresServer], *, database: str, user: str, pool_mode: str) -> None:
        self._databases = "".join(
            f"{name} = host={HOST} port={server.port} dbname={database} user={user}\n"
            for name, server in servers.items()
        )
        self._user = user
        self._pool_mode = pool_mode

    def _start_all(self, stack: ExitStack) -> None:
        self._account = Account.for_postgres()  # PgBouncer does not serve root either
        self._directory = stack.enter_context(KeptDirectory("pindb-pgbouncer-", self._account))
        process, self._port = start_on_free_port(self._start, f"listening on {HOST}:")
        stack.callback(process.stop)

    def settings(self, name: str) -> dict[str, Any]:
        """Return the entry of Django's ``DATABASES`` for one of its databases."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": self._user,
            "HOST": HOST,
            "PORT": self._port,
            "DISABLE_SERVER_SIDE_CURSORS": True,
        }

    def _start(self, port: int) -> Kept:
        command = program()
        if command is None:
            raise RuntimeError(MISSING)
        configuration = Path(self._directory.path) / f"{port}.ini"
        configuration.write_text(
            CONFIGURATION.format(databases=self._databases, host=HOST, port=port, pool_mode=self._pool_mode)
        )
        configuration.chmod(0o644)
        return Kept([command, configuration], account=self._account, directory=self._directory)
