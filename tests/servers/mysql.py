"""``MySQLCluster``: a MySQL primary and replicas that follow it by GTID, made for one ``with`` block, gone after it.

The server has to be there: see ``mysql_install``.
"""

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pindb.testing.servers.processes.keeping import KeptDirectory
from pindb.testing.servers.processes.kept import Kept, ProcessEndedError
from pindb.testing.servers.processes.ports import HOST, free_port, start_on_free_port
from pindb.testing.servers.processes.started import Started
from pindb.testing.servers.processes.waiting import wait_until

from .mariadb import ROOT, USER, MariaDBServer
from .mysql_install import Installation, installed

COPY_TIMEOUT = 60.0
GROUP_TIMEOUT = 60.0
OPTIONS = [
    f"--bind-address={HOST}",
    # By which members of a group reach each other.
    f"--report-host={HOST}",
    "--skip-name-resolve",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--table-open-cache=200",
    # The data need not survive a crash of the machine.
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=0",
    "--skip-innodb-doublewrite",
]


class MySQLServer(MariaDBServer):
    """A server that is ready to answer; clients speak to it as to MariaDB."""

    def disconnect(self, user: str) -> None:
        for (id_,) in self.execute(f"SELECT id FROM information_schema.processlist WHERE user = '{user}'"):
            self.execute(f"KILL {id_}")

    def position(self) -> str:
        """Return the GTIDs of all its transactions."""
        [(gtids,)] = self.execute("SELECT @@GLOBAL.gtid_executed")
        return str(gtids).replace("\n", "")


class MySQLReplica(MySQLServer):
    """A server that follows a primary."""

    def follow(self, master: MySQLServer) -> None:
        """Follow ``master`` from here on, from where this server stands."""
        self.execute("STOP REPLICA")
        self.execute(
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{HOST}', SOURCE_PORT = {master.port}, "
            f"SOURCE_USER = '{ROOT}', SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1, "
            "SOURCE_RETRY_COUNT = 100000, SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 1"
        )
        self.execute("START REPLICA")

    def promote(self) -> None:
        """Become a primary."""
        self.execute("STOP REPLICA")
        self.execute("RESET REPLICA ALL")
        self.execute("SET GLOBAL read_only = 0")

    def stop_following(self) -> None:
        """Receive nothing more from the primary."""
        self.execute("STOP REPLICA")

    def pause_replay(self) -> None:
        """Stop applying what the primary sends."""
        self.execute("STOP REPLICA SQL_THREAD")

    def resume_replay(self) -> None:
        """Apply again what the primary sends."""
        self.execute("START REPLICA SQL_THREAD")

    def set_lag(self, seconds: int) -> None:
        """Have commits applied this many seconds after they were made on the primary."""
        self.execute("STOP REPLICA")
        self.execute(f"CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {seconds}")
        self.execute("START REPLICA")

    def has_replayed(self, gtids: str) -> bool:
        """Tell whether everything up to this position is visible here."""
        return self.execute(f"SELECT GTID_SUBSET('{gtids}', @@GLOBAL.gtid_executed)") == [(1,)]


class MySQLCluster(Started):
    """A primary and ``standbys`` replicas on free ports of 127.0.0.1, their data in a temporary directory."""

    lag_privilege = "REPLICATION CLIENT"
    master: MySQLServer
    standbys: list[MySQLReplica]

    def __init__(self, standbys: int = 1) -> None:
        self._standby_count = standbys

    def _start_all(self, stack: ExitStack) -> None:
        installation = installed()
        if installation is None:
            raise RuntimeError("there is no MySQL server: ask mysql_install.installed() first")
        self._directory = stack.enter_context(KeptDirectory("pindb-mysql-"))
        self.master = MySQLServer("master", *self._serve(stack, installation, "master", 1))
        self.standbys = []
        for number in range(2, self._standby_count + 2):
            name = f"standby{number - 1}"
            replica = MySQLReplica(name, *self._serve(stack, installation, name, number))
            replica.execute("SET GLOBAL read_only = 1")
            replica.follow(self.master)
            self.standbys.append(replica)
        self.wait_until_replayed()

    def create_database(self, name: str) -> None:
        """Create a database on the primary; the replicas have it as soon as they have replayed that."""
        self.master.execute(f"CREATE DATABASE {name}")
        self.master.execute(f"GRANT ALL ON {name}.* TO '{USER}'@'%'")

    def form_group(self, name: str) -> None:
        """Have the servers replicate as a group, by Group Replication, with the primary as it is."""
        servers = [self.master, *self.standbys]
        addresses = [f"{HOST}:{free_port()}" for _ in servers]
        for server, address in zip(servers, addresses, strict=True):
            for statement in (
                "STOP REPLICA",
                "RESET REPLICA ALL",
                "INSTALL PLUGIN group_replication SONAME 'group_replication.so'",
                f"SET GLOBAL group_replication_group_name = '{name}'",
                f"SET GLOBAL group_replication_local_address = '{address}'",
                f"SET GLOBAL group_replication_group_seeds = '{','.join(addresses)}'",
                "SET GLOBAL group_replication_ssl_mode = 'DISABLED'",
                "SET GLOBAL group_replication_recovery_use_ssl = 0",
                "SET GLOBAL group_replication_recovery_get_public_key = 1",
                f"SET GLOBAL group_replication_bootstrap_group = {int(server is self.master)}",
                f"START GROUP_REPLICATION USER = '{ROOT}'",
                "SET GLOBAL group_replication_bootstrap_group = 0",
            ):
                server.execute(statement)
        wait_until(lambda: len(self.members(self.master)) == len(servers), GROUP_TIMEOUT, "all are in the group")

    def members(self, server: MySQLServer) -> dict[int, str]:
        """Return the ports and roles of the members that are in order, as `server` sees its group."""
        question = "SELECT member_port, member_role FROM performance_schema.replication_group_members"
        return dict(server.execute(f"{question} WHERE member_state = 'ONLINE'"))

    def set_lag(self, seconds: int) -> None:
        """Set the lag of every replica (see ``MySQLReplica.set_lag``)."""
        for standby in self.standbys:
            standby.set_lag(seconds)

    def wait_until_replayed(self, timeout: float = 30.0) -> None:
        """Wait until every replica shows all that is committed on the primary now."""
        gtids = self.master.position()
        wait_until(
            lambda: all(standby.has_replayed(gtids) for standby in self.standbys),
            timeout,
            lambda: f"replayed {gtids}: {[standby.execute('SHOW REPLICA STATUS') for standby in self.standbys]}",
        )

    def _serve(self, stack: ExitStack, installation: Installation, name: str, server_id: int) -> tuple[Kept, int]:
        data = self._directory.path / name
        with Kept(["cp", "-r", installation.data, data], directory=self._directory) as copying:
            if copying.wait(COPY_TIMEOUT):
                raise ProcessEndedError(f"cp failed:\n{copying.log_text()}")
        options: list[Any] = [
            *installation.command, *OPTIONS, f"--datadir={data}", f"--tmpdir={data}", f"--server-id={server_id}",
            # Relative to the data directory: the path of a socket must not be longer than about 100 bytes.
            "--socket=socket", "--pid-file=pid",
        ]  # fmt: skip
        process, port = start_on_free_port(
            lambda port: self._keep([*options, f"--port={port}"]), "ready for connections"
        )
        stack.callback(process.stop)
        return process, port

    def _keep(self, command: list[str | Path]) -> Kept:
        return Kept(
            command,
            cwd=self._directory.path,
            # It takes seconds to end in order, and nobody needs its data.
            stop_signal=signal.SIGKILL,
            directory=self._directory,
        )
