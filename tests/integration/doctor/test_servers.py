"""`manage.py pindb_doctor` on real servers: PostgreSQL with standbys, MariaDB and MySQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core import mail
from django.db import connections
from django.test import override_settings

from pindb.servers import health, probe
from tests.integration.health.shop import cut_off, installed, stopped, timed, write
from tests.integration.health.test_identities import changed
from tests.integration.positions.balancers import Pooler
from tests.servers import PostgresCluster, wait_until
from tests.services import cluster_of
from tests.unit.management.doctor.running import found, run, texts


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgresCluster]:
    with PostgresCluster(standbys=2) as running:
        running.create_database("shop")
        yield running


@pytest.fixture(autouse=True)
def _no_test_runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Django's test runner makes mirrors of replicas; its outbox tells of it. And nothing is known of the servers."""
    monkeypatch.delattr(mail, "outbox", raising=False)
    health.forget()
    yield
    health.forget()


@pytest.fixture
def shop(cluster: PostgresCluster) -> Iterator[PostgresCluster]:
    """The shared cluster as the DB set "shop", without lag."""
    with installed(cluster):
        yield cluster
    cluster.set_lag(0)
    cluster.wait_until_replayed()


def servers(verdict: str, *arguments: str) -> list[str]:
    return texts(found("servers", *arguments), verdict)


def test_healthy_servers_follow_answer_and_agree_on_the_time(shop: PostgresCluster) -> None:
    assert servers("ok") == [
        "The master 'shop' answers. ",
        "The replica 'shop-1' follows, 0.00 s behind. ",
        "The replica 'shop-2' follows, 0.00 s behind. ",
    ]
    assert servers("unwise") == servers("wrong") == []
    clocks = found("clocks")
    assert [finding["verdict"] for finding in clocks] == ["ok"] * 3
    assert "The clock of the server of 'shop-2' is 0.0" in clocks[2]["text"]


def test_nothing_is_written(shop: PostgresCluster) -> None:
    next_writer = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"  # a transaction that writes takes a number
    before = shop.master.execute(next_writer)
    with override_settings(PINDB_CONSISTENCY="position"):
        run("--send")
    assert shop.master.execute(next_writer) == before


def test_a_replica_that_lags_beyond_the_pins_is_wrong_and_one_that_is_skipped_is_unwise(shop: PostgresCluster) -> None:
    shop.standbys[1].set_lag(3600)
    write()
    with override_settings(PINDB_PINNING_SECONDS=0.2):
        wait_until(lambda: bool(servers("wrong")), 10, "it is behind")
        (wrong,) = servers("wrong")
        assert wrong.startswith("PINDB_PINNING_SECONDS is 0.2, and 'shop-2' is ")
        assert "Write a number of seconds over the lag you expect" in wrong
    with override_settings(PINDB_PINNING_SECONDS=0.2, PINDB_MAX_LAG_SECONDS=0.2):
        (unwise,) = servers("unwise")
        assert unwise.startswith("The replica 'shop-2' is skipped: it is ")
        assert servers("wrong") == []


def test_a_replica_half_as_late_as_pins_last_is_unwise(shop: PostgresCluster) -> None:
    shop.standbys[1].set_lag(3600)
    write()
    with override_settings(PINDB_PINNING_SECONDS=600):
        wait_until(lambda: "'shop-2' follows, 0.00" not in run()[0], 10, "it is behind")
        lag = probe.ask(probe.probe_for("shop-2"), lag=True).lag
        assert lag is not None
    with override_settings(PINDB_PINNING_SECONDS=lag * 1.9):
        assert any("Write PINDB_PINNING_SECONDS = " in text for text in servers("unwise") + servers("wrong"))


def test_a_replica_that_leads_to_the_master_is_told(shop: PostgresCluster) -> None:
    with changed("shop-1", HOST="localhost", PORT=shop.master.port):
        (wrong,) = servers("wrong")
        (unwise,) = servers("unwise")
    assert wrong.startswith("The replica 'shop-1' is skipped: it is no replica (any more).")
    assert "The replica 'shop-1' is its master 'shop' itself: both lead to the server " in unwise


def test_a_replica_of_another_cluster_is_wrong(shop: PostgresCluster) -> None:
    with PostgresCluster(standbys=1) as other:
        other.create_database("shop")
        other.wait_until_replayed()
        with changed("shop-1", PORT=other.standbys[0].port):
            (wrong,) = servers("wrong")
    assert "The replica 'shop-1' is no copy of its master: it serves the cluster " in wrong


def test_a_server_that_cannot_be_reached_is_a_finding_and_nobody_waits_for_long(shop: PostgresCluster) -> None:
    with changed("shop-1", PORT=1), changed("shop", PORT=1):
        master, replica = servers("wrong")
        text, status = run()
    assert master.startswith("The master 'shop' cannot be reached: OperationalError: ")
    assert replica.startswith("The replica 'shop-1' cannot be reached, and is skipped: OperationalError: ")
    assert status == 1
    assert "could not look" not in text
    with stopped(shop.standbys[0]):
        (wrong,), seconds = timed(lambda: servers("wrong", "--timeout", "1"))  # type: ignore[misc,call-overload]
    assert "no answer within 1 s" in wrong
    assert seconds < 6


def test_a_master_that_is_a_standby_is_wrong(shop: PostgresCluster) -> None:
    with changed("shop", PORT=shop.standbys[1].port):
        assert any("The master 'shop' cannot take writes: it is a standby" in text for text in servers("wrong"))


def test_a_driver_that_is_not_installed_is_a_finding(shop: PostgresCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    connections["shop-1"].close()
    with monkeypatch.context() as patch:
        patch.setitem(connections.settings["shop-1"], "ENGINE", "django.db.backends.nowhere")
        del connections["shop-1"]
        text, status = run()
    assert status == 1
    assert "The alias 'shop-1' cannot be used: ImproperlyConfigured: 'django.db.backends.nowhere' isn't" in text
    assert "The replica 'shop-2' follows, 0.00 s behind." in text, "the others are looked at"
    assert "could not look" not in text


def test_a_replica_that_lost_its_master_is_wrong() -> None:
    with PostgresCluster(standbys=1) as cluster:
        cluster.create_database("shop")
        with installed(cluster):
            cut_off(cluster.standbys[0])
            (wrong,) = servers("wrong")
    assert wrong.startswith("The replica 'shop-1' does not follow its master: it is not connected to its master.")
    assert "It is read all the same." in wrong


# Positions


@pytest.fixture
def role(cluster: PostgresCluster) -> Iterator[str]:
    """A role that may read tables, in a database where the functions that tell positions are not for everybody."""
    functions = "pg_control_system(), pg_control_checkpoint(), pg_control_recovery()"
    cluster.master.execute("CREATE ROLE reader LOGIN")
    cluster.master.execute(f"REVOKE EXECUTE ON FUNCTION {functions} FROM PUBLIC", database="shop")
    cluster.wait_until_replayed()
    yield "reader"
    cluster.master.execute(f"GRANT EXECUTE ON FUNCTION {functions} TO PUBLIC", database="shop")
    cluster.master.execute(f"REVOKE EXECUTE ON FUNCTION {functions} FROM reader", database="shop")
    cluster.master.execute("DROP ROLE reader")


def statement(remedy: str) -> str:
    """Return what there is to type."""
    return remedy.partition("Type ")[2].partition(";")[0]


def test_each_privilege_for_positions_is_told_until_it_is_there(cluster: PostgresCluster, role: str) -> None:
    with installed(cluster, role, PINDB_CONSISTENCY="position"):
        *compared, unwise = servers("unwise")
        assert not any("Whether a pooler" in text for text in compared), "it may not be asked, which is told already"
        assert (
            "The DB set 'shop' runs in time mode, not in position mode: 'shop-1' does not tell its position" in unwise
        )
        cluster.master.execute(statement(unwise), database="shop")
        cluster.wait_until_replayed()
        assert "The DB set 'shop' runs in position mode (PostgreSQL): its servers tell their positions. " in servers(
            "ok"
        )
        first, second = servers("unwise")
        assert "After a failover reads use the master for minutes: the role of 'shop-1' may not ask" in first
        assert "'shop-2'" in second
        cluster.master.execute(statement(first))
        cluster.wait_until_replayed()
        assert servers("unwise") == []


def test_position_mode_without_positions_is_unwise() -> None:
    with override_settings(PINDB_CONSISTENCY="position"):
        unwise = servers("unwise")
    assert unwise[0].startswith("The DB set 'default' runs in time mode, not in position mode: SQLite does not tell")
    assert len(unwise) == 2, "each of the two DB sets"


# Poolers


@contextmanager
def pooled(alias: str, ports: list[int], choose: Callable[[], int]) -> Iterator[None]:
    pooler = Pooler(ports, choose)
    try:
        with changed(alias, PORT=pooler.port):
            yield
    finally:
        pooler.close()


def test_a_pooler_that_spreads_statements_is_told(shop: PostgresCluster) -> None:
    ports = [standby.port for standby in shop.standbys]
    turns = itertools.cycle(ports)
    with pooled("shop-1", ports, lambda: next(turns)):
        (unwise,) = servers("unwise")
        assert unwise.startswith("One connection to 'shop-1' leads to 2 servers: 127.0.0.1 ")
        with override_settings(PINDB_CONSISTENCY="position"):
            (wrong,) = servers("wrong")
    assert wrong.endswith("DATABASE_SETS, and the pooler one server for each.")


def test_a_pooler_that_uses_another_server_only_when_one_is_busy_is_told(shop: PostgresCluster) -> None:
    one, other = shop.standbys
    busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = 'shop'"

    def choose() -> int:
        return one.port if one.execute(busy) == [(0,)] else other.port

    with pooled("shop-1", [one.port, other.port], choose):
        assert any("One connection to 'shop-1' leads to 2 servers" in text for text in servers("unwise"))


def test_a_pooler_before_one_server_is_fine(shop: PostgresCluster) -> None:
    port = shop.standbys[0].port
    with pooled("shop-1", [port], lambda: port):
        assert servers("unwise") == servers("wrong") == []


# MariaDB and MySQL


@pytest.mark.parametrize("vendor", ["mariadb", "mysql"])
def test_mariadb_and_mysql_tell_the_time_and_which_privilege_the_lag_needs(vendor: str) -> None:
    import pymysql

    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.install_as_MySQLdb()
    cluster: Any = cluster_of(vendor, standbys=1)
    with cluster:
        cluster.create_database("shop")
        cluster.wait_until_replayed()
        with installed(cluster, "shop"):
            clocks = found("clocks")
            assert [finding["verdict"] for finding in clocks] == ["ok", "ok"]
            assert "The clock of the server of 'shop-1' is 0.0" in clocks[1]["text"]
            (unwise,) = servers("unwise")
            assert unwise.startswith("The lag of 'shop-1' is not known: OperationalError: ")
            cluster.master.execute(statement(unwise))
            cluster.wait_until_replayed()
            assert servers("unwise") == servers("wrong") == []
            with changed("shop-1", PORT=cluster.master.port):
                connections["shop-1"].settings_dict["OPTIONS"] = {"charset": "utf8mb4"}  # not the master's own entry
                assert any("The replica 'shop-1' is its master 'shop' itself" in text for text in servers("unwise"))
