"""`manage.py check` says which mode a DB set really runs in, and why: on real servers."""

from __future__ import annotations

import pytest
from django.db import connections
from django.test import override_settings

import pindb
from pindb import checks
from tests.servers.mysql import MySQLCluster
from tests.shop.models import Customer

from .goods import Cluster, asking, read_from, received, written
from .test_taking_fails import failing  # noqa: F401 - a fixture


def said(databases: list[str] | None = None) -> str:
    (message,) = checks.check_positions(databases) if databases else checks.check_consistency()
    assert message.id == "pindb.I003"
    return str(message)


def test_without_asking_it_says_what_the_engine_can(goods: Cluster) -> None:
    with asking() as asked:
        assert "'goods' runs in position mode" in said()
        assert "manage.py check --database goods" in said()
    assert asked == []


def test_asked_to_it_asks_every_server(goods: Cluster) -> None:
    with asking() as asked:
        assert "runs in position mode" in said(["goods"])
        assert "asked just now" in said(["goods"])
    assert set(asked) == {"goods", "goods-1", "goods-2"}


@pytest.mark.usefixtures("failing")
def test_a_master_that_does_not_tell_is_named(goods: Cluster) -> None:
    assert "time mode, not in position mode: 'goods' does not tell its position" in said(["goods"])


def test_a_replica_that_is_none_is_named(goods: Cluster) -> None:
    if isinstance(goods, MySQLCluster):
        pytest.skip("only a privileged user learns whether a MySQL server is a replica")
    connections.settings["goods-2"]["PORT"] = goods.master.port
    assert "'goods-2' does not tell its position, it is no replica" in said(["goods"])


def test_a_server_that_cannot_be_reached_is_named(goods: Cluster) -> None:
    connections.settings["goods-1"]["PORT"] = 1
    assert "'goods-1' does not tell its position (OperationalError" in said(["goods"])


def test_the_strict_router_refuses_a_write_once_the_pin_has_ended(goods: Cluster) -> None:
    message = written("strict")
    goods.wait_until_replayed()
    router = pindb.StrictPinDbRouter()
    with received(message):
        assert read_from("strict")[0] != "goods"
        with pytest.raises(pindb.UnpinnedWriteException):
            router.db_for_write(Customer)
    with received(message):
        pindb.pin("goods")
        assert read_from("strict")[0] == "goods"
        assert router.db_for_write(Customer) == "goods"


def test_in_time_mode_nothing_is_said(goods: Cluster) -> None:
    with override_settings(PINDB_CONSISTENCY="time"):
        assert checks.check_consistency() == checks.check_positions(["goods"]) == []
