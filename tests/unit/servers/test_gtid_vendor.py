"""What MariaDB and MySQL are asked alike. With real servers: tests/integration, in health and positions."""

from __future__ import annotations

from contextlib import nullcontext
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from pindb.servers.vendors import MariaDB, MySQL, gtid_vendor, mariadb, mysql
from pindb.servers.vendors.base import Identity, LogVendor


class Cursor:
    """Has one row for each query, by the query."""

    def __init__(self, **rows: Any) -> None:
        self.rows = {query: rows[name] for name, query in rows["queries"].items()}

    def execute(self, query: str, parameters: Any = None) -> None:
        self.asked = query, parameters

    def fetchone(self) -> Any:
        return self.rows[self.asked[0]]


@pytest.fixture(params=[(MariaDB(), mariadb), (MySQL(), mysql)], ids=["mariadb", "mysql"])
def asked(request: pytest.FixtureRequest) -> tuple[LogVendor, Cursor]:
    vendor, page = request.param
    queries = {"identity": page.IDENTITY, "clock": gtid_vendor.CLOCK}
    return vendor, Cursor(queries=queries, identity=("shop", "server 7"), clock=(Decimal("1764000000.25"),))


def test_each_names_its_server_in_its_own_words_and_no_cluster(asked: tuple[LogVendor, Cursor]) -> None:
    vendor, cursor = asked
    assert vendor.identity(cursor) == Identity("shop", None, "server 7")


def test_the_clock_is_a_number(asked: tuple[LogVendor, Cursor]) -> None:
    vendor, cursor = asked
    clock = vendor.clock(cursor)
    assert (clock, type(clock)) == (1764000000.25, float)


def test_neither_tells_its_address_or_without_a_privilege_its_role(asked: tuple[LogVendor, Cursor]) -> None:
    vendor, cursor = asked
    assert vendor.connected_address(SimpleNamespace()) is None  # type: ignore[arg-type]
    assert vendor.follows(cursor)
    assert not hasattr(cursor, "asked")


def test_no_probe_waits_for_a_machine_that_has_vanished(asked: tuple[LogVendor, Cursor]) -> None:
    assert asked[0].probe_options == {"connect_timeout": 1, "read_timeout": 1, "write_timeout": 1}


def test_a_proxy_is_known_by_a_thread_id_that_is_not_the_server_s() -> None:
    connection: Any = SimpleNamespace(connection=SimpleNamespace(thread_id=lambda: 7))
    assert gtid_vendor.is_direct(connection, 7)
    assert not gtid_vendor.is_direct(connection, 8)


def test_the_first_row_is_asked_for_with_the_parameters() -> None:
    cursor = Cursor(queries={"answer": "WAIT %s"}, answer=(1,))
    connection: Any = SimpleNamespace(cursor=lambda: nullcontext(cursor))
    assert gtid_vendor.first_row(connection, "WAIT %s", [0.5]) == (1,)
    assert cursor.asked == ("WAIT %s", [0.5])
