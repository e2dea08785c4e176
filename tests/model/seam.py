"""The seam between the shipped code and the model's servers. Only what is named here is replaced.

- `log_vendor_of` and `address_of` in `pindb.servers.positions`: log positions come from `ModelPostgreSQL`. It is the
  shipped `PostgreSQL` with other answers to its two queries; how it names and compares logs is shipped code.
- `can_be_read`, `none_can_be_read` and `note_failed_read` in `pindb.servers.health`: every server can be read.
- `_in_turn` in `pindb.routing.replica_choice`: the model explores each order in which it might name the replicas.
- `_random` in `pindb.core.unit_of_work`: it draws `seam.draw`, 0 unless somebody says otherwise.
- The name `connections` in each module of pindb that has it: Django's connections, here `Connections`. Statements reach
  them through the shipped `observe`, commits and rollbacks through the shipped wrappers.
- The name `time` in each module of pindb that has it: the model's clock.

Reads do not wait for a replica (`PINDB_POSITION_WAIT_SECONDS = 0`). Clients with dozens of overlapping requests are not
modelled, so `pindb.web.overflow` counts none.
"""

from __future__ import annotations

import logging
import sys
import time as real_time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

from django.db import connections as django_connections
from django.test import override_settings

from pindb.core import open_writes, unit_of_work
from pindb.core.frames import frame_var
from pindb.core.pins import Position
from pindb.core.transactions import connection_cache
from pindb.routing import replica_choice, rules
from pindb.routing.decision import Decision
from pindb.routing.routers import GreedyPinDbRouter
from pindb.routing.writes import hooks
from pindb.servers import health, positions
from pindb.servers.position_cache import position_cache
from pindb.servers.vendors import postgresql
from pindb.servers.vendors.base import ReplicaPosition, Translation
from pindb.web import overflow
from tests.model.servers import Servers

MASTER: Final = "default"


class LogPosition(dict[str, int]):
    """A log position that can be part of a state."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


class Driver:
    """A driver's connection: it leads to one server for as long as that runs."""

    def __init__(self, number: int, starts: int) -> None:
        self.number = number
        self.starts = starts
        self.server = address(number)

    def is_alive(self) -> bool:
        return seam.servers.all[self.number].starts == self.starts


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
            key = (self.thread, self.alias, number, seam.servers.all[number].starts)
            self.driver = seam.drivers.setdefault(key, Driver(*key[2:]))

    def close(self) -> None:
        self.driver = None

    @property
    def connection(self) -> Driver | None:
        if self.alias == MASTER:  # that to a new master is opened by itself
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
                seam.servers = seam.servers.commit(writes, seam.now)

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
            seam.servers = seam.servers.commit(tuple(self.open), seam.now) if self.open else seam.servers
            self.open.clear()

        open_writes._commit(commit)(self)  # type: ignore[arg-type]
        self.set_atomic(False)

    def rollback(self) -> None:
        open_writes._rollback(lambda connection: self.open.clear())(self)  # type: ignore[arg-type]
        self.set_atomic(False)


ATOMIC: Final = object()


def address(number: int) -> str:
    return f"server {number}"


class Connections:
    """What stands for `django.db.connections`."""

    @property
    def settings(self) -> Mapping[str, Any]:
        return dict.fromkeys((MASTER, *(f"{MASTER}-{number}" for number in range(1, len(seam.servers.all)))))

    def __getitem__(self, alias: str) -> Connection:
        key = (seam.thread, alias)
        if key not in seam.connections:
            seam.connections[key] = Connection(*key)
        return seam.connections[key]

    def all(self, initialized_only: bool = False) -> list[Connection]:
        return [connection for (thread, _), connection in seam.connections.items() if thread == seam.thread]


class ModelPostgreSQL(postgresql.PostgreSQL):
    """The shipped page of PostgreSQL, with the model's servers at the other end."""

    def written(self, connection: Any) -> Position:
        server = seam.servers.written()
        return LogPosition({postgresql._log(1, server.timeline): server.offset})

    def replayed(self, connection: Any) -> ReplicaPosition:
        number = connection.server()
        server = seam.servers.all[number]
        if number == seam.servers.master:
            return ReplicaPosition(LogPosition(), address(number), floor=LogPosition())
        log = postgresql._log(1, server.timeline if seam.privileged else server.named)
        return ReplicaPosition(
            LogPosition({log: server.offset}),
            address(number),
            timeline_confirmed=seam.privileged,
            floor=LogPosition({log: server.floor}),
        )

    def translate(self, connection: Any, log: str) -> Translation:
        position, limit = super().translate(connection, log)
        return Translation(LogPosition(position), limit)

    def connected_address(self, connection: Any) -> str | None:
        return str(connection.connection.server)


class Seam:
    """What the shipped code finds on the other side, at the step that is being taken."""

    def __init__(self) -> None:
        self.servers = Servers(())
        self.now = 0.0
        self.thread = 0
        self.privileged = True
        self.draw = 0.0
        self.order: tuple[int, ...] | None = None
        """In which order the replicas have their turn; it is set to None once somebody has asked."""
        self.decisions: list[Decision] = []
        self.connections: dict[tuple[int, str], Connection] = {}
        self.drivers: dict[tuple[int, str, int, int], Driver] = {}

    def number_of(self, alias: str) -> int:
        return self.servers.master if alias == MASTER else int(alias.rpartition("-")[2])


seam: Final = Seam()
router: Final = GreedyPinDbRouter()
_vendor: Final = ModelPostgreSQL()


def _in_turn(replicas: tuple[str, ...]) -> list[str]:
    order, seam.order = seam.order or range(len(replicas)), None
    return [replicas[number] for number in order]


def _noting(decide: Callable[..., Decision]) -> Callable[..., Decision]:
    def noted(*args: Any, **kwargs: Any) -> Decision:
        seam.decisions.append(decide(*args, **kwargs))
        return seam.decisions[-1]

    return noted


@contextmanager
def installed(replicas: int, settings: Mapping[str, Any], *, privileged: bool = True) -> Iterator[None]:
    """Have pindb speak to the model's servers, one DB set with so many replicas, under these settings of pindb."""
    replaced: list[tuple[Any, str, Any]] = [
        (positions, "log_vendor_of", lambda connection: _vendor),
        (positions, "address_of", _vendor.connected_address),
        (health, "can_be_read", lambda *args: True),
        (health, "none_can_be_read", lambda db_set: None),
        (health, "note_failed_read", lambda *args, **kwargs: None),
        (replica_choice, "_in_turn", _in_turn),
        (rules, "decide", _noting(rules.decide)),
        (positions, "_reported", set()),
        (unit_of_work, "_random", lambda: seam.draw),
    ]
    clock = SimpleNamespace(**{**vars(real_time), "time": lambda: seam.now, "monotonic": lambda: seam.now})
    connections = Connections()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "pindb":
            names = vars(module)
            replaced += [(module, "time", clock)] if names.get("time") is real_time else []
            replaced += [(module, "connections", connections)] if names.get("connections") is django_connections else []
    settings = {
        "MASTER_DATABASES": {MASTER: {}},
        "DATABASE_SETS": {MASTER: [{}] * replicas},
        "PINDB_DELEGATE_ROUTERS": [],
        "PINDB_POSITION_WAIT_SECONDS": 0,
        **settings,
    }
    logger, level = logging.getLogger("pindb"), logging.getLogger("pindb").level
    logger.setLevel(logging.CRITICAL)
    patches = [mock.patch.object(*each) for each in replaced]
    seam.connections.clear()
    seam.drivers.clear()
    seam.privileged, seam.draw = privileged, 0.0
    frame = frame_var.get()
    try:
        for patch in patches:
            patch.start()
        with override_settings(**settings):
            yield
    finally:
        for patch in reversed(patches):
            patch.stop()
        logger.setLevel(level)
        frame_var.set(frame)
        position_cache.forget()
        connection_cache.connections.clear()
        open_writes._here.transactions.clear()
        overflow._answered.clear()
