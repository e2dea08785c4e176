"""``MariaDBCluster``: a MariaDB master and replicas that follow it by GTID, made for one ``with`` block, gone after it.

MariaDB has to be installed: there is no wheel of it.
"""

import shutil
from contextlib import ExitStack

from pindb.testing.servers.processes.account import Account
from pindb.testing.servers.processes.keeping import KeptDirectory
from pindb.testing.servers.processes.ports import HOST

from .gtid import USER, GtidCluster, GtidReplica, GtidServer

OPTIONS = [
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


class MariaDBServer(GtidServer):
    """A server that is ready to answer."""

    def position(self) -> str:
        """Return the last GTID of each domain."""
        [(gtids,)] = self.execute("SELECT @@gtid_binlog_pos")
        return str(gtids)

    def disconnect(self, user: str) -> None:
        self.execute(f"KILL USER {user}")


class MariaDBReplica(MariaDBServer, GtidReplica):
    """A server that follows a master."""

    word = "SLAVE"
    change = "CHANGE MASTER TO MASTER_"
    options = "MASTER_USE_GTID = slave_pos"

    def has_replayed(self, gtids: str) -> bool:
        """Tell whether everything up to this position is visible here."""
        return self.execute(f"SELECT MASTER_GTID_WAIT('{gtids}', 0)") == [(0,)]


class MariaDBCluster(GtidCluster[MariaDBServer, MariaDBReplica]):
    """See above."""

    lag_privilege = "REPLICA MONITOR"

    def _start_all(self, stack: ExitStack) -> None:
        # It refuses to serve root as PostgreSQL does, and so gets the same account.
        self._account = Account.for_postgres()
        self._directory = stack.enter_context(KeptDirectory("pindb-mariadb-", self._account))
        data = self._directory.path / "master"
        self._run([_program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db",
                   f"--tmpdir={self._directory.path}", "--auth-root-authentication-method=normal"])  # fmt: skip
        self.standbys = []
        copies = [self._directory.path / name for name in self._standby_names()]
        for copy in copies:
            self._run(["cp", "-r", data, copy])
        command = [_program("mariadbd"), "--no-defaults", *OPTIONS]
        self.master = MariaDBServer(*self._serve(stack, command, data, 1))
        self.master.execute(f"CREATE USER '{USER}'@'%'")
        for number, copy in enumerate(copies, 2):
            self._follow(MariaDBReplica(*self._serve(stack, command, copy, number)))
        self.wait_until_replayed()


def _program(name: str) -> str:
    # Debian has the server where only root looks.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/libexec") or ""
