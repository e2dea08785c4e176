"""What MariaDB and MySQL have in common: a master and replicas that follow it by GTID, with their words for it."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pymysql

from pindb.testing.servers.processes.account import Account
from pindb.testing.servers.processes.keeping import KeptDirectory
from pindb.testing.servers.processes.kept import Kept
from pindb.testing.servers.processes.ports import HOST, start_on_free_port
from pindb.testing.servers.processes.started import Started
from pindb.testing.servers.processes.waiting import wait_until

TOOL_TIMEOUT = 60.0
ROOT, USER = "root", "shop"
READY = "ready for connections"


class GtidServer(ABC):
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

    @abstractmethod
    def position(self) -> str:
        """Return the GTIDs of what it has committed."""

    @abstractmethod
    def disconnect(self, user: str) -> None:
        """End the connections of a user."""

    def queries_in(self, state: str) -> list[int]:
        """Return the connections whose query is in this state."""
        rows = self.execute(f"SELECT id FROM information_schema.processlist WHERE state = '{state}'")
        return [id_ for (id_,) in rows]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} on port {self.port}>"


class GtidReplica(GtidServer):
    """A server that follows a master."""

    word: ClassVar[str]
    """For a replica."""
    change: ClassVar[str]
    """The statement that says how to follow, with the prefix of its options."""
    options: ClassVar[str]
    """How to follow, beside the master's address."""

    def follow(self, master: GtidServer) -> None:
        """Follow ``master`` from here on, from where this server stands."""
        prefix = self.change.split()[-1]
        self.execute(f"STOP {self.word}")
        self.execute(
            f"{self.change}HOST = '{HOST}', {prefix}PORT = {master.port}, {prefix}USER = '{ROOT}', "
            f"{prefix}CONNECT_RETRY = 1, {self.options}"
        )
        self.execute(f"START {self.word}")

    def promote(self) -> None:
        """Become a master."""
        self.execute(f"STOP {self.word}")
        self.execute(f"RESET {self.word} ALL")
        self.execute("SET GLOBAL read_only = 0")

    def stop_following(self) -> None:
        """Receive nothing more from the master."""
        self.execute(f"STOP {self.word}")

    def pause_replay(self) -> None:
        """Stop applying what the master sends."""
        self.execute(f"STOP {self.word} SQL_THREAD")

    def resume_replay(self) -> None:
        """Apply again what the master sends."""
        self.execute(f"START {self.word} SQL_THREAD")

    def set_lag(self, seconds: int) -> None:
        """Have commits applied this many seconds after they were made on the master."""
        self.execute(f"STOP {self.word}")
        self.execute(f"{self.change}DELAY = {seconds}")
        self.execute(f"START {self.word}")

    @abstractmethod
    def has_replayed(self, gtids: str) -> bool:
        """Tell whether everything up to this position is visible here."""


S = TypeVar("S", bound=GtidServer)
R = TypeVar("R", bound=GtidReplica)


class GtidCluster(Started, Generic[S, R]):
    """A master and ``standbys`` replicas on free ports of 127.0.0.1, their data in a temporary directory."""

    lag_privilege: ClassVar[str]
    """What a user needs who asks for the lag."""
    master: S
    standbys: list[R]
    _account: Account | None = None
    _directory: KeptDirectory

    def __init__(self, standbys: int = 1) -> None:
        self._standby_count = standbys

    def create_database(self, name: str) -> None:
        """Create a database on the master; the replicas have it as soon as they have replayed that."""
        self.master.execute(f"CREATE DATABASE {name}")
        self.master.execute(f"GRANT ALL ON {name}.* TO '{USER}'@'%'")

    def set_lag(self, seconds: int) -> None:
        """Set the lag of every replica (see ``GtidReplica.set_lag``)."""
        for standby in self.standbys:
            standby.set_lag(seconds)

    def wait_until_replayed(self, timeout: float = 30.0) -> None:
        """Wait until every replica shows all that is committed on the master now."""
        gtids = self.master.position()
        wait_until(
            lambda: all(standby.has_replayed(gtids) for standby in self.standbys),
            timeout,
            lambda: (
                f"replayed {gtids}: {[standby.execute(f'SHOW {standby.word} STATUS') for standby in self.standbys]}"
            ),
        )

    def _standby_names(self) -> list[str]:
        return [f"standby{number}" for number in range(1, self._standby_count + 1)]

    def _follow(self, replica: R) -> None:
        """Have a new replica follow the master."""
        replica.execute("SET GLOBAL read_only = 1")
        replica.follow(self.master)
        self.standbys.append(replica)

    def _serve(
        self, stack: ExitStack, command: Sequence[str | Path], data: Path, server_id: int
    ) -> tuple[str, Kept, int]:
        """Start a server; return its name, its process and its port."""
        # The socket's path is relative to the data directory: it must not be longer than about 100 bytes. And each
        # server has its temporary tables in a directory of its own: one that starts deletes all it finds there.
        options = [f"--datadir={data}", f"--tmpdir={data}", f"--server-id={server_id}", "--socket=socket"]
        process, port = start_on_free_port(lambda port: self._keep([*command, *options, f"--port={port}"]), READY)
        stack.callback(process.stop)
        return data.name, process, port

    def _run(self, command: Sequence[str | Path]) -> None:
        with self._keep(command) as process:
            process.wait_for_success(TOOL_TIMEOUT)

    def _keep(self, command: Sequence[str | Path]) -> Kept:
        return Kept(
            command,
            cwd=self._directory.path,
            # It takes seconds to end in order, and nobody needs its data.
            stop_signal=signal.SIGKILL,
            account=self._account,
            directory=self._directory,
        )
