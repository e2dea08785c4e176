"""``MySQLCluster``: a MySQL primary and replicas that follow it by GTID, made for one ``with`` block, gone after it.

The server has to be there: see ``mysql_install``.
"""

from contextlib import ExitStack

from pindb.testing.servers.processes.keeping import KeptDirectory
from pindb.testing.servers.processes.ports import HOST, free_port
from pindb.testing.servers.processes.waiting import wait_until

from .gtid import ROOT, GtidCluster, GtidReplica, GtidServer
from .mysql_install import installed

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
    "--pid-file=pid",
]


class MySQLServer(GtidServer):
    """A server that is ready to answer."""

    def disconnect(self, user: str) -> None:
        for (id_,) in self.execute(f"SELECT id FROM information_schema.processlist WHERE user = '{user}'"):
            self.execute(f"KILL {id_}")

    def position(self) -> str:
        """Return the GTIDs of all its transactions."""
        [(gtids,)] = self.execute("SELECT @@GLOBAL.gtid_executed")
        return str(gtids).replace("\n", "")


class MySQLReplica(MySQLServer, GtidReplica):
    """A server that follows a primary."""

    word = "REPLICA"
    change = "CHANGE REPLICATION SOURCE TO SOURCE_"
    options = "SOURCE_AUTO_POSITION = 1, SOURCE_RETRY_COUNT = 100000, SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 1"

    def has_replayed(self, gtids: str) -> bool:
        """Tell whether everything up to this position is visible here."""
        return self.execute(f"SELECT GTID_SUBSET('{gtids}', @@GLOBAL.gtid_executed)") == [(1,)]


class MySQLCluster(GtidCluster[MySQLServer, MySQLReplica]):
    """See above. The master is its primary."""

    lag_privilege = "REPLICATION CLIENT"

    def _start_all(self, stack: ExitStack) -> None:
        installation = installed()
        if installation is None:
            raise RuntimeError("there is no MySQL server: ask mysql_install.installed() first")
        self._directory = stack.enter_context(KeptDirectory("pindb-mysql-"))
        command = [*installation.command, *OPTIONS]
        directories = [self._directory.path / name for name in ("master", *self._standby_names())]
        for data in directories:
            self._run(["cp", "-r", installation.data, data])
        first, *others = directories
        self.master = MySQLServer(*self._serve(stack, command, first, 1))
        self.standbys = []
        for number, data in enumerate(others, 2):
            self._follow(MySQLReplica(*self._serve(stack, command, data, number)))
        self.wait_until_replayed()

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
