"""Where nobody can tell whether a replica has a position, the master is read: on real servers."""

from __future__ import annotations

import time

import pytest
from django.db import connections
from django.test import override_settings

import pindb
from pindb.servers.vendors import mariadb, mysql, postgresql
from tests.servers.mysql import MySQLCluster
from tests.shop.models import Customer

from .goods import (
    Cluster,
    asking,
    pause,
    positions_in,
    publish,
    read_from,
    received,
    written,
)


def test_a_replica_that_was_promoted_means_the_master(goods: Cluster, start: object) -> None:
    """Not a standby any more: here the configuration names the master as its own replica."""
    if isinstance(goods, MySQLCluster):
        pytest.skip("only a privileged user learns whether a MySQL server is a replica; what it has it has")
    message = written("joe")
    for alias in ("goods-1", "goods-2"):
        connections.settings[alias]["PORT"] = goods.master.port
    with received(message):
        assert read_from("joe") == ("goods", True)


def test_a_process_in_time_mode_holds_a_pin_with_a_position_to_its_end(goods: Cluster) -> None:
    message = written("kai")
    goods.wait_until_replayed()
    with override_settings(PINDB_CONSISTENCY="time"), received(message), asking() as asked:
        assert read_from("kai") == ("goods", True)
        assert positions_in(publish()) == positions_in(message)
    assert asked == []


def test_a_replica_that_does_not_answer_means_the_master_and_one_warning(
    goods: Cluster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = written("leo")
    monkeypatch.setattr(postgresql, "REPLAYED", "/* pindb */ SELECT no_such_function()")
    for vendor in (mariadb, mysql):
        monkeypatch.setattr(vendor, "REPLAYED", "/* pindb */ SELECT @@no_such_variable")
    for _ in range(4):
        with received(message):
            assert read_from("leo") == ("goods", True)
            assert Customer.objects.using(pindb.get_replica("goods")).count() >= 0, "the connection is in order"
    assert len(caplog.records) == 2, "one for each replica"


def test_replicas_that_are_gone_mean_the_master(goods: Cluster) -> None:
    message = written("lou")
    for alias in ("goods-1", "goods-2"):
        connections.settings[alias]["PORT"] = 1
    for _ in range(4):
        with received(message):
            assert read_from("lou") == ("goods", True)


@pytest.mark.parametrize("source", ["pAAAAAAAAAAA.1", "m0.99", "m99.1", "zebra"])
def test_a_position_from_elsewhere_means_the_master_until_it_lapses_and_one_warning(
    goods: Cluster, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    until = int(time.time()) + 100
    goods.wait_until_replayed()
    for _ in range(4):
        with received(f"1;goods={source}:0@{until}"):
            assert read_from("mia")[0] == "goods"
            assert positions_in(publish()) == [f"{source}:0@{until}"]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"], "one for each replica"


def test_a_position_from_the_future_means_the_master_and_one_warning_once_the_master_has_said_where_it_is(
    goods: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in goods.standbys:  # both are known to be up
        with pindb.pinning_context():
            read_from("ned")
    (mark,) = positions_in(written("ned"))
    source = mark.partition(":")[0]
    with asking() as asked:
        for at in (2**60, 2**62, 2**61):
            with received(f"1;goods={source}:{at:x}@{int(time.time()) + 100}"):
                assert read_from("ned") == ("goods", True)
    assert set(asked) == {"goods-1", "goods-2"}, "and not the master"
    assert caplog.records == []
    for number in range(2):
        written(f"ned {number}")
    assert [f"waits for position {2**62} of the log {source}" in record.message for record in caplog.records] == [True]


def test_a_position_that_the_master_has_written_is_not_from_the_future(
    goods: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    pause(goods)
    message = written("nia")
    with received(message):
        assert read_from("nia") == ("goods", True)
    written("nia's")
    assert caplog.records == []
