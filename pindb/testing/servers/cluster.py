"""``PostgresCluster``: a master and its streaming standbys, made for one ``with`` block and gone after it."""

import os
import shutil
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from psycopg import sql

from pindb.testing.servers.binaries import postgres_bin_for
from pindb.testing.servers.postgres import SUPERUSER, PostgresServer, Standby
from pindb.testing.servers.processes.account import Account
from pindb.testing.servers.processes.keeping import KeptDirectory
from pindb.testing.servers.processes.kept import Kept
from pindb.testing.servers.processes.ports import HOST, start_on_free_port
from pindb.testing.servers.processes.started import Started
from pindb.testing.servers.processes.waiting import wait_until

TOOL_TIMEOUT = 60.0
STREAMING_TIMEOUT = 30.0

ACCESS = """\
host all         all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""

CONFIGURATION = """
listen_addresses = '127.0.0.1'
# TCP only: the path of a socket must not be longer than about 100 bytes, and that of a temporary directory may be.
unix_socket_directories = ''
max_connections = 100
max_wal_senders = 10
wal_level = replica
hot_standby = on

# The data need not survive a crash of the machine. A commit still waits for what synchronous_commit promises.
fsync = off
full_page_writes = off
synchronous_commit = on
shared_buffers = 16MB
min_wal_size = 32MB
# A standby that lost its connection finds the WAL it missed.
wal_keep_size = 128MB
# Files of the data directory: nothing of them is left in the system if the server has to be killed.
dynamic_shared_memory_type = mmap

# With these off the master writes no WAL but the tests'.
autovacuum = off
max_logical_replication_workers = 0
# A long query on a standby is not cancelled because the master cleaned up what it reads.
hot_standby_feedback = on
wal_receiver_status_interval = 1s
# After a lost connection, and at the start, try again at once instead of after 5 s.
wal_retrieve_retry_interval = 100ms
recovery_min_apply_delay = 0
"""


class PostgresCluster(Started):
    """A master and ``standbys`` streaming standbys on free ports of 127.0.0.1, their data in a temporary directory.

    When the ``with`` block begins, every standby streams from the master and applies at once what it receives.
    """

    master: PostgresServer
    standbys: list[Standby]

    def __init__(self, standbys: int = 1) -> None:
        self._standby_count = standbys

    def _start_all(self, stack: ExitStack) -> None:
        self._account = Account.for_postgres()
        self._directory = stack.enter_context(KeptDirectory("pindb-postgres-", self._account))
        self._bin = postgres_bin_for(self._account, self._directory.path)
        self._environment = self._make_environment()
        self.master = self._start_master(stack)
        with ThreadPoolExecutor(max_workers=max(1, self._standby_count)) as pool:
            names = [f"standby{number}" for number in range(1, self._standby_count + 1)]
            self.standbys = list(pool.map(lambda name: self._start_standby(stack, name), names))
        wait_until(self._is_streaming, STREAMING_TIMEOUT, self._describe)
        self.wait_until_replayed()

    def create_database(self, name: str) -> None:
        """Create a database on the master; the standbys have it as soon as they have replayed that."""
        self.master.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def set_lag(self, seconds: float) -> None:
        """Set the lag of every standby (see ``Standby.set_lag``)."""
        for standby in self.standbys:
            standby.set_lag(seconds)

    def wait_until_replayed(self, timeout: float = 30.0) -> None:
        """Wait until every standby shows all that is committed on the master now; TimeoutError has the positions."""
        # The written position and not that of insertion, which can be one that no standby ever reports: just behind
        # the header of a page on which there is nothing yet.
        [(lsn,)] = self.master.execute("SELECT pg_current_wal_lsn()::text")
        wait_until(
            lambda: all(standby.has_replayed(lsn) for standby in self.standbys),
            timeout,
            lambda: f"every standby has replayed {lsn}. {self._describe()}",
        )

    def restart(self, standby: Standby) -> None:
        """Kill a standby and start it again on its port; return when it lets readers in, with older data maybe."""
        standby.process.kill()
        self._start_again(standby)

    def rebuild(self, standby: Standby) -> None:
        """Kill a standby, and put another one in its place: on its port, with a copy of the master's data of now."""
        standby.process.kill()
        data = self._directory.path / standby.name
        shutil.rmtree(data)
        self._copy_master(data, standby.name)
        self._start_again(standby)

    def _start_again(self, standby: Standby) -> None:
        data = self._directory.path / standby.name
        standby.process = self._keep(["postgres", "-D", data, "-p", str(standby.port)])
        self._stack.callback(standby.process.stop)
        standby.process.wait_for_log("ready to accept read-only connections")

    def _describe(self) -> str:
        senders = self.master.execute("SELECT application_name, state, sent_lsn, replay_lsn FROM pg_stat_replication")
        sent = "; ".join(f"{name} {state}, sent {sent}, replayed {done}" for name, state, sent, done in senders)
        return f"The master sends: {sent or 'nothing'}. " + "; ".join(standby.position() for standby in self.standbys)

    def _is_streaming(self) -> bool:
        [(count,)] = self.master.execute("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        return bool(count == self._standby_count)

    def _start_master(self, stack: ExitStack) -> PostgresServer:
        data = self._directory.path / "master"
        self._run(["initdb", "-D", data, "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        (data / "pg_hba.conf").write_text(ACCESS)
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION)
        process, port = self._serve(stack, data)
        return PostgresServer("master", process, port)

    def _start_standby(self, stack: ExitStack, name: str) -> Standby:
        data = self._directory.path / name
        self._copy_master(data, name)
        process, port = self._serve(stack, data)
        return Standby(name, process, port)

    def _copy_master(self, data: Path, name: str) -> None:
        """Make the data directory of a standby that follows the master."""
        source = f"host={HOST} port={self.master.port} user={SUPERUSER} application_name={name}"
        self._run(
            ["pg_basebackup", "-D", data, "-d", source, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        )

    def _serve(self, stack: ExitStack, data: Path) -> tuple[Kept, int]:
        process, port = start_on_free_port(
            lambda port: self._keep(["postgres", "-D", data, "-p", str(port)]), "database system is ready to accept"
        )
        stack.callback(process.stop)
        return process, port

    def _run(self, command: Sequence[str | Path]) -> None:
        with self._keep(command) as process:
            process.wait_for_success(TOOL_TIMEOUT)

    def _keep(self, command: Sequence[str | Path]) -> Kept:
        return Kept(
            [self._bin / command[0], *command[1:]],
            env=self._environment,
            cwd=self._directory.path,
            # The quickest way to end a server whose data nobody needs, and it releases its shared memory.
            stop_signal=signal.SIGQUIT,
            account=self._account,
            directory=self._directory,
        )

    def _make_environment(self) -> dict[str, str]:
        # libpq's PG* variables and files of the user's would change whom and how the tools call. The messages waited
        # for are English.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return inherited | {"HOME": str(self._directory.path), "LC_ALL": "C"}
