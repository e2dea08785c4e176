"""The seam between the shipped code and the model's servers. Only what is named here is replaced.

- `log_vendor_of` and `address_of` in `pindb.servers.positions`: log positions come from `ModelPostgreSQL`. It is the
  shipped `PostgreSQL` with other answers to its two queries; how it names and compares logs is shipped code.
- `can_be_read`, `none_can_be_read` and `note_failed_read` in `pindb.servers.health`: every server can be read.
- `_in_turn` in `pindb.routing.replica_choice`: the model explores each order in which it might name the replicas.
- `_random` in `pindb.core.unit_of_work`: it draws `seam.draw`, 0 unless somebody says otherwise.
- The name `connections` in each module of pindb that has it: Django's connections, here those of `connections.py`.
  Statements reach them through the shipped `observe`, commits and rollbacks through the shipped wrappers.
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
from pindb.once import Once
from pindb.routing import replica_choice, rules
from pindb.routing.decision import Decision
from pindb.routing.routers import GreedyPinDbRouter
from pindb.servers import health, positions
from pindb.servers.position_cache import position_cache
from pindb.servers.vendors import postgresql
from pindb.servers.vendors.base import ReplicaPosition, Translation
from pindb.web import overflow
from tests.model.connections import MASTER, MASTERS, Connection, Connections, address, seam


class LogPosition(dict[str, int]):
    """A log position that can be part of a state."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


class ModelPostgreSQL(postgresql.PostgreSQL):
    """The shipped page of PostgreSQL, with the model's servers at the other end."""

    def written(self, connection: Any) -> Position:
        server = seam.clusters[connection.db_set].written()
        return LogPosition({_log(connection, server.timeline): server.offset})

    def replayed(self, connection: Any) -> ReplicaPosition:
        number = connection.server()
        servers, place = seam.clusters[connection.db_set], address(connection.db_set, number)
        server = servers.all[number]
        if number == servers.master:
            return ReplicaPosition(LogPosition(), place, floor=LogPosition())
        log = _log(connection, server.timeline if seam.privileged else server.named)
        return ReplicaPosition(
            LogPosition({log: server.offset}),
            place,
            timeline_confirmed=seam.privileged,
            floor=LogPosition({log: server.floor}),
        )

    def translate(self, connection: Any, log: str) -> Translation:
        position, limit = super().translate(connection, log)
        return Translation(LogPosition(position), limit)

    def connected_address(self, connection: Any) -> str | None:
        return str(connection.connection.server)


def _log(connection: Connection, timeline: int) -> str:
    return postgresql._log(1 + MASTERS.index(connection.db_set), timeline)


router: Final = GreedyPinDbRouter()
_vendor: Final = ModelPostgreSQL()


def _in_turn(replicas: tuple[str, ...]) -> list[str]:
    order, seam.order = seam.order or range(len(replicas)), None
    return [replicas[number] for number in order if number < len(replicas)]


def _noting(decide: Callable[..., Decision]) -> Callable[..., Decision]:
    def noted(*args: Any, **kwargs: Any) -> Decision:
        seam.decisions.append(decide(*args, **kwargs))
        return seam.decisions[-1]

    return noted


@contextmanager
def installed(replicas: int, settings: Mapping[str, Any], *, privileged: bool = True) -> Iterator[None]:
    """Have pindb speak to the model's servers under these settings of pindb. "default" has so many replicas."""
    replaced: list[tuple[Any, str, Any]] = [
        (positions, "log_vendor_of", lambda connection: _vendor),
        (positions, "address_of", _vendor.connected_address),
        (health, "can_be_read", lambda *args: True),
        (health, "none_can_be_read", lambda db_set: None),
        (health, "note_failed_read", lambda *args, **kwargs: None),
        (replica_choice, "_in_turn", _in_turn),
        (rules, "decide", _noting(rules.decide)),
        (positions, "_reported", Once()),
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
