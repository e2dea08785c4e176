"""The model's connections to its servers, and `seam`: what they and the shipped code find at the step that is taken."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final

from pindb.core import open_writes
from pindb.routing.decision import Decision
from pindb.routing.writes import hooks
from tests.model.servers import Servers

MASTER: Final = "default"
AUDIT: Final = "audit"
MASTERS: Final = (MASTER, AUDIT)
"""The DB sets that a world may have. Each has servers of its own."""


class Driver:
    """A driver's connection: it leads to one server for as long as that runs."""

    def __init__(self, db_set: str, number: int, starts: int) -> None:
        self.db_set = db_set
        self.number = number
        self.starts = starts
        self.server = address(db_set, number)

    def is_alive(self) -> bool:
        return seam.clusters[self.db_set].all[self.number].starts == self.starts


class DriverError(Exception):
    """What the driver raises when its server is gone."""


class Connection:
    """Django's connection of one thread to one alias."""

    vendor = "postgresql"
    Database = SimpleNamespace(Error=DriverError, OperationalError=DriverError, InterfaceError=DriverError)
    autocommit = True
    features = SimpleNamespace(can_rollback_ddl=True)

    def __init__(self, thread: int, alias: str) -> None:
        self.thread = thread
        self.alias = alias
        self.db_set = db_set_of(alias)
        self.in_atomic_block = False
        self.atomic_blocks: list[object] = []
        self.savepoint_ids: list[str] = []
        self.execute_wrappers: list[Any] = []
        self.open: list[str] = []
        """The writes of the transaction."""
        self.driver: Driver | None = None
        hooks._connected(self)  # type: ignore[arg-type]

    def close_if_health_check_failed(self) -> None:
        """Nothing, as with Django's default: a connection that has died is found out by the next query."""

    def ensure_connection(self) -> None:
        if self.driver is None:
            number = seam.number_of(self.alias)
            key = (self.thread, self.alias, number, seam.clusters[self.db_set].all[number].starts)
            self.driver = seam.drivers.setdefault(key, Driver(self.db_set, *key[2:]))

    def close(self) -> None:
        self.driver = None

    @property
    def connection(self) -> Driver | None:
        if self.alias in MASTERS:  # that to a new master is opened by itself
            self.close()
            self.ensure_connection()
        return self.driver

    def server(self) -> int:
        """Return which server answers. Raises the driver's error if none does any more."""
        self.ensure_connection()
        driver = self.connection
        if driver is None or not driver.is_alive():
            raise DriverError
        return driver.number

    def execute(self, sql: str, *writes: str) -> None:
        """Run a statement. Outside a transaction it commits."""

        def execute(*_: Any) -> None:
            self.server()
            if self.in_atomic_block:
                self.open += writes
            elif writes:
                self._write(writes)

        context = {"connection": self, "cursor": SimpleNamespace(rowcount=1)}
        if hooks.observe in self.execute_wrappers:
            hooks.observe(execute, sql, None, False, context)
        else:
            execute()

    def set_atomic(self, inside: bool) -> None:
        self.in_atomic_block = inside
        self.atomic_blocks = [ATOMIC] if inside else []

    def commit(self) -> None:
        def commit(connection: Any) -> None:
            if self.open:
                self._write(tuple(self.open))
            self.open.clear()

        open_writes._commit(commit)(self)  # type: ignore[arg-type]
        self.set_atomic(False)

    def _write(self, writes: tuple[str, ...]) -> None:
        seam.clusters[self.db_set] = seam.clusters[self.db_set].commit(writes, seam.now)

    def rollback(self) -> None:
        open_writes._rollback(lambda connection: self.open.clear())(self)  # type: ignore[arg-type]
        self.set_atomic(False)


ATOMIC: Final = object()


def address(db_set: str, number: int) -> str:
    return f"server {number} of {db_set}"


def db_set_of(alias: str) -> str:
    return alias.partition("-")[0]


class Connections:
    """What stands for `django.db.connections`."""

    @property
    def settings(self) -> Mapping[str, Any]:
        return dict.fromkeys(
            alias
            for name, servers in seam.clusters.items()
            for alias in (name, *(f"{name}-{number}" for number in range(1, len(servers.all))))
        )

    def __getitem__(self, alias: str) -> Connection:
        key = (seam.thread, alias)
        if key not in seam.connections:
            seam.connections[key] = Connection(*key)
        return seam.connections[key]

    def all(self, initialized_only: bool = False) -> list[Connection]:
        return [connection for (thread, _), connection in seam.connections.items() if thread == seam.thread]


class Seam:
    """What the shipped code finds on the other side, at the step that is being taken."""

    def __init__(self) -> None:
        self.clusters: dict[str, Servers] = {MASTER: Servers(())}
        """By DB set."""
        self.now = 0.0
        self.thread = 0
        self.privileged = True
        self.draw = 0.0
        self.order: tuple[int, ...] | None = None
        """In which order the replicas have their turn; it is set to None once somebody has asked."""
        self.decisions: list[Decision] = []
        self.connections: dict[tuple[int, str], Connection] = {}
        self.drivers: dict[tuple[int, str, int, int], Driver] = {}

    @property
    def servers(self) -> Servers:
        """Those of the DB set "default"."""
        return self.clusters[MASTER]

    @servers.setter
    def servers(self, servers: Servers) -> None:
        self.clusters[MASTER] = servers

    def number_of(self, alias: str) -> int:
        return self.clusters[alias].master if alias in MASTERS else int(alias.rpartition("-")[2])


seam: Final = Seam()
