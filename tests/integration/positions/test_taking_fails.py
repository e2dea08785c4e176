"""Where no position can be taken, a pin is timed, and nothing fails: on real servers."""

from __future__ import annotations

import pytest
from django.db import connections

import pindb
from pindb.servers.vendors import mariadb, mysql, postgresql

from .goods import Cluster, asking, positions_in, publish, read_from, timed_in, write


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "WRITTEN", "/* pindb */ SELECT no_such_function()")
    for vendor in (mariadb, mysql):
        monkeypatch.setattr(vendor, "WRITTEN", "/* pindb */ SELECT @@no_such_variable")


@pytest.mark.usefixtures("failing")
def test_a_failing_question_is_a_timed_pin_one_warning_and_a_connection_in_order(
    goods: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    with asking() as asked:
        for name in ("hea", "hob"):
            write(name)
            for _ in range(3):
                message = publish()
                assert timed_in(message)
                assert not positions_in(message)
    assert asked == ["goods"] * 2, "not again for each message"
    assert read_from("hob") == ("goods", True)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_master_that_is_gone_fails_no_publish(goods: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    pindb.pin("goods")
    connections.settings["goods"]["PORT"] = 1
    assert timed_in(publish())
    assert len(caplog.records) == 1


def test_a_standby_taken_for_a_master_gives_no_position(goods: Cluster) -> None:
    """After a failover to nowhere, or with a wrong HOST."""
    if connections["goods"].vendor == "mysql":
        pytest.skip(
            "a replica of MariaDB or MySQL that others can follow has a log of its own, with the same positions"
        )
    connections["goods"].close()
    connections.settings["goods"]["PORT"] = goods.standbys[0].port
    pindb.pin("goods")
    assert timed_in(publish())


def test_aurora_whose_readers_replay_nothing_gives_timed_pins(goods: Cluster) -> None:
    if connections["goods"].vendor == "mysql":
        pytest.skip("Aurora PostgreSQL")
    with connections["goods"].cursor() as cursor:
        cursor.execute("CREATE FUNCTION aurora_version() RETURNS text LANGUAGE sql AS $$ SELECT '16.1' $$")
    pindb.pin("goods")
    try:
        assert timed_in(publish())
    finally:
        with connections["goods"].cursor() as cursor:
            cursor.execute("DROP FUNCTION aurora_version()")
