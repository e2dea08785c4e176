"""`manage.py check --database`: a replica that is its master itself, another database or another cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core import checks as django_checks
from django.core import mail
from django.db import connections

from tests.integration.health.shop import installed, stopped
from tests.servers import PostgresCluster
from tests.services import cluster_of


@pytest.fixture(autouse=True)
def _no_test_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's test runner makes mirrors of replicas. Its outbox tells of it, which a TestCase before leaves behind."""
    monkeypatch.delattr(mail, "outbox", raising=False)


def said(*databases: str) -> list[tuple[str, str]]:
    """Return (id, text) of what `check` says of servers, with `--database` for each of `databases`."""
    found = django_checks.run_checks(databases=databases or None)
    ours = ("pindb.W013", "pindb.W014", "pindb.I004")
    return [(str(message.id), f"{message.msg} / {message.hint}") for message in found if message.id in ours]


@contextmanager
def changed(alias: str, **entries: Any) -> Iterator[None]:
    settings = connections[alias].settings_dict
    before = {key: settings[key] for key in entries}
    settings.update(entries)
    try:
        yield
    finally:
        settings.update(before)


def test_standbys_of_the_master_are_told_nothing(shop: PostgresCluster) -> None:
    assert said("shop") == []


def test_a_replica_that_leads_to_the_master_by_another_name_is_told(shop: PostgresCluster) -> None:
    with changed("shop-1", HOST="localhost", PORT=shop.master.port):
        assert said() == [], "nothing is asked without --database"
        ((id_, text),) = said("shop")
    assert id_ == "pindb.W013"
    assert "The replica 'shop-1' is its master 'shop' itself: both lead to the server " in text
    assert 'DATABASE_SETS["shop"]' in text


def test_another_database_is_told_by_its_name(shop: PostgresCluster) -> None:
    with changed("shop-2", NAME="postgres"):
        ((id_, text),) = said("shop")
    assert id_ == "pindb.W014"
    assert "'shop-2' is no copy of its master: it serves the database 'postgres', its master 'shop'" in text
    assert "Correct NAME of 'shop-2'" in text


def test_another_cluster_is_told_by_its_system_identifier(shop: PostgresCluster) -> None:
    with PostgresCluster(standbys=0) as other:
        other.create_database("shop")
        with changed("shop-1", PORT=other.master.port):
            ((id_, text),) = said("shop")
        [(system,)] = other.master.execute("SELECT system_identifier::text FROM pg_control_system()")
    assert id_ == "pindb.W014"
    assert f"it serves the cluster {system}, its master " in text


def test_servers_that_cannot_be_asked_are_named(shop: PostgresCluster) -> None:
    with changed("shop-1", PORT=1):
        ((id_, text),) = said("shop")
        assert id_ == "pindb.I004"
        assert "'shop-1' was not compared with its master 'shop': 'shop-1' did not answer (OperationalError" in text
    with changed("shop", PORT=1):
        assert [id_ for id_, _ in said("shop")] == ["pindb.I004"] * 2
    with stopped(shop.standbys[0]):
        assert [id_ for id_, _ in said("shop")] == ["pindb.I004"]


@pytest.mark.parametrize("vendor", ["mariadb", "mysql"])
def test_mariadb_and_mysql_tell_the_master_itself_and_another_database(vendor: str) -> None:
    import pymysql

    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.install_as_MySQLdb()
    with cluster_of(vendor, standbys=1) as cluster:
        for database in ("shop", "other"):
            cluster.create_database(database)
        cluster.wait_until_replayed()
        with installed(cluster, "shop"):  # type: ignore[arg-type]
            assert said("shop") == []
            with changed("shop-1", PORT=cluster.master.port):
                connections["shop-1"].settings_dict["OPTIONS"] = {"charset": "utf8mb4"}
                assert [id_ for id_, _ in said("shop")] == ["pindb.W013"]
            with changed("shop-1", NAME="other"):
                ((id_, text),) = said("shop")
                assert id_ == "pindb.W014"
                assert "the database 'other'" in text
