"""``MariaDBCluster``: a MariaDB master and replicas that follow it by GTID, made for one ``with`` block, gone after it.

MariaDB has to be installed: there is no wheel of it.
"""

import shutil
import signal
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pymysql

from pindb.testing.servers.processes.account import Account
from pindb.testing.servers.processes.keeping import KeptDirectory
from pindb.testing.servers.processes.kept import Kept, ProcessEndedError
from pindb.testing.servers.processes.ports import HOST, start_on_free_port
from pindb.testing.servers.processes.started import Started
from pindb.testing.servers.processes.waiting import wait_until

TOOL_TIMEOUT = 60.0
ROOT, USER = "root", "shop"
OPTIONS = [
    "--no-defaults",
    f"--bind-address={HOST}",
    "--skip-name-resolve",
    "--log-bin=binlog",
    "--log-slave-updates",
    "--gtid-strict-mode",
    # The data need not survive a crash of the machine.
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=8M",
]


def is_installed() -> bool:
    return bool(_program("mariadbd") and _program("mariadb-install-db"))


class MariaDBServer:
    """A server that is ready to answer."""

    def __init__(self, name: str, process: Kept, port: int) -> None:
        self.name = name
        self.process = process
        self.port = port

    def settings(self, database: str, user: str = USER) -> dict[str, Any]:
        """Return the entry of Django's ``DATABASES``, for a user who owns the database and has no other privilege."""
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": database,
            "USER": user,
            "PASSWORD": "",
            "HOST": HOST,
            "PORT": self.port,
        }

    def execute(self, query: str, *, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement on a connection of its own, in autocommit; return its rows, if it has any."""
        connection = pymysql.connect(host=HOST, port=self.port, user=ROOT, database=database, autocommit=True)
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def position(self) -> str:
        """Return the last GTID of each domain."""
        [(gtids,)] = self.execute("SELECT @@gtid_binlog_pos")
        return str(gtids)

    def queries_in(self, state: str) -> list[int]:
        """Return the connections whose query is in this state."""
        rows = self.execute(f"SELECT id FROM information_schema.processlist WHERE state = '{state}'")
        return [id_ for (id_,) in rows]

    def disconnect(self, user: str) -> None:
        """End the connections of a user."""
        self.execute(f"KILL USER {user}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} on port {self.port}>"


class MariaDBReplica(MariaDBServer):
    """A server that follows a master."""

    def follow(self, master: MariaDBServer) -> None:
        """Follow ``master`` from here on, from where this server stands."""
        self.execute("STOP SLAVE")
        self.execute(
            f"CHANGE MASTER TO MASTER_HOST = '{HOST}', MASTER_PORT = {master.port}, MASTER_USER = '{ROOT}', "
            "MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1"
        )
        self.execute("START SLAVE")

    def promote(self) -> None:
        """Become a master."""
        self.execute("STOP SLAVE")
        self.execute("RESET SLAVE ALL")
        self.execute("SET GLOBAL read_only = 0")

    def stop_following(self) -> None:
        """Receive nothing more from the master."""
        self.execute("STOP SLAVE")

    def pause_replay(self) -> None:
        """Stop applying what the master sends."""
        self.execute("STOP SLAVE SQL_THREAD")

    def resume_replay(self) -> None:
        """Apply again what the master sends."""
        self.execute("START SLAVE SQL_THREAD")

    def set_lag(self, seconds: int) -> None:
        """Have commits applied this many seconds after they were made on the master."""
        self.execute("STOP SLAVE")
        self.execute(f"CHANGE MASTER TO MASTER_DELAY = {seconds}")
        self.execute("START SLAVE")

    def has_replayed(self, gtid: str) -> bool:
        """Tell whether everything up to this position is visible here."""
        return self.execute(f"SELECT MASTER_GTID_WAIT('{gtid}', 0)") == [(0,)]


class MariaDBCluster(Started):
    """A master and ``standbys`` replicas on free ports of 127.0.0.1, their data in a temporary directory."""

    lag_privilege = "REPLICA MONITOR"
    """What a user needs who asks for the lag."""
    master: MariaDBServer
    standbys: list[MariaDBReplica]

    def __init__(self, standbys: int = 1) -> None:
        self._standby_count = standbys

    def _start_all(self, stack: ExitStack) -> None:
        # It refuses to serve root as PostgreSQL does, and so gets the same account.
        self._account = Account.for_postgres()
        self._directory = stack.enter_context(KeptDirectory("pindb-mariadb-", self._account))
        data = self._directory.path / "master"
        self._run([_program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db",
                   f"--tmpdir={self._directory.path}", "--auth-root-authentication-method=normal"])  # fmt: skip
        self.standbys = []
        copies = [self._directory.path / f"standby{number}" for number in range(1, self._standby_count + 1)]
        for copy in copies:
            self._run(["cp", "-r", data, copy])
        self.master = MariaDBServer("master", *self._serve(stack, data, 1))
        self.master.execute(f"CREATE USER '{USER}'@'%'")
        for number, copy in enumerate(copies, 2):
            replica = MariaDBReplica(copy.name, *self._serve(stack, copy, number))
            replica.execute("SET GLOBAL read_only = 1")
            replica.follow(self.master)
            self.standbys.append(replica)
        self.wait_until_replayed()

    def create_database(self, name: str) -> None:
        """Create a database on the master; the replicas have it as soon as they have replayed that."""
        self.master.execute(f"CREATE DATABASE {name}")
        self.master.execute(f"GRANT ALL ON {name}.* TO '{USER}'@'%'")

    def set_lag(self, seconds: int) -> None:
        """Set the lag of every replica (see ``MariaDBReplica.set_lag``)."""
        for standby in self.standbys:
            standby.set_lag(seconds)

    def wait_until_replayed(self, timeout: float = 30.0) -> None:
        """Wait until every replica shows all that is committed on the master now."""
        gtid = self.master.position()
        wait_until(
            lambda: all(standby.has_replayed(gtid) for standby in self.standbys),
            timeout,
            lambda: f"replayed {gtid}: {[standby.execute('SHOW SLAVE STATUS') for standby in self.standbys]}",
        )

    def _serve(self, stack: ExitStack, data: Path, server_id: int) -> tuple[Kept, int]:
        # Relative to the data directory: the path of a socket must not be longer than about 100 bytes. And a directory
        # of its own for temporary tables: a server that starts deletes all it finds there, those of others as well.
        options = [*OPTIONS, f"--datadir={data}", f"--tmpdir={data}", f"--server-id={server_id}", "--socket=socket"]
        process, port = start_on_free_port(
            lambda port: self._keep([_program("mariadbd"), *options, f"--port={port}"]), "ready for connections"
        )
        stack.callback(process.stop)
        return process, port

    def _run(self, command: Sequence[str | Path]) -> None:
        with self._keep(command) as process:
            if process.wait(TOOL_TIMEOUT):
                raise ProcessEndedError(f"{command[0]} failed:\n{process.log_text()}")

    def _keep(self, command: Sequence[str | Path]) -> Kept:
        return Kept(
            command,
            cwd=self._directory.path,
            # It takes seconds to end in order, and nobody needs its data.
            stop_signal=signal.SIGKILL,
            account=self._account,
            directory=self._directory,
        )


def _program(name: str) -> str:
    # Debian has the server where only root looks.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/libexec") or ""
