"""How far behind a replica is, told by real standbys, and that those too far behind are not read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

from pindb.config.database_sets import current_config
from pindb.servers import health
from pindb.servers.vendors import postgresql
from pindb.servers.vendors.base import Report
from pindb.servers.vendors.postgresql import PostgreSQL
from tests.integration.health.shop import Clock, Probes, cut_off, installed, read, reads, write
from tests.servers import PostgresCluster, wait_until


@pytest.fixture
def watched(shop: PostgresCluster) -> Iterator[PostgresCluster]:
    """The shop, where two seconds are too much."""
    with override_settings(PINDB_MAX_LAG_SECONDS=2):
        yield shop


def report(alias: str) -> Report:
    return health.probing(alias, "shop", current_config().settings, lag=True)()


def received(cluster: PostgresCluster) -> None:
    """Wait until the standbys have, and do not show yet, what the master has written."""
    [(lsn,)] = cluster.master.execute("SELECT pg_current_wal_lsn()::text")
    for standby in cluster.standbys:
        question = "SELECT pg_last_wal_receive_lsn() >= %s::pg_lsn"
        wait_until(lambda: standby.execute(question, [lsn]) == [(True,)], 10, "it has received what was written")  # noqa: B023


def test_an_idle_master_is_no_lag_however_long_ago_its_last_commit(
    watched: PostgresCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "problem_in", lambda report, settings: "" if report.lag == 0 else f"{report}")
    write()
    watched.wait_until_replayed()
    wait_until(
        lambda: watched.standbys[0].execute("SELECT now() - pg_last_xact_replay_timestamp() > '1.5 s'") == [(True,)],
        10,
        "the last commit is some time ago",
    )
    assert reads() == {"shop-1", "shop-2"}


def test_a_replica_further_behind_than_allowed_is_passed_over_until_it_has_caught_up(
    watched: PostgresCluster, clock: Clock
) -> None:
    watched.standbys[0].set_lag(3600)
    write()
    received(watched)
    wait_until(lambda: (report("shop-1").lag or 0) > 2, 10, "it is 2 s behind")
    assert reads() == {"shop-2"}
    watched.standbys[0].set_lag(0)
    watched.wait_until_replayed()
    clock.move(9.9)
    assert reads() == {"shop-2"}, "not before its time"
    clock.move(0.2)
    wait_until(lambda: read() == "shop-1", 10, "it is read again")


def test_where_no_lag_is_too_much_it_is_not_asked(shop: PostgresCluster, asked: Probes) -> None:
    shop.standbys[0].pause_replay()
    write()
    received(shop)
    assert reads() == {"shop-1", "shop-2"}


def test_a_replica_whose_replay_is_paused_is_passed_over(watched: PostgresCluster, clock: Clock) -> None:
    watched.standbys[0].pause_replay()
    assert reads() == {"shop-2"}
    write()
    assert reads() == {"shop-2"}
    watched.standbys[0].resume_replay()
    watched.wait_until_replayed()
    clock.move(10.1)
    wait_until(lambda: read() == "shop-1", 10, "it is read again")


def test_a_commit_just_received_after_a_long_silence_is_no_long_lag(
    watched: PostgresCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standby's own figure is the age of the last commit it has replayed."""
    monkeypatch.setattr(postgresql, "SECOND_SAMPLE_DELAY", 0.5)
    with override_settings(PINDB_MAX_LAG_SECONDS=0.6):
        write()
        watched.wait_until_replayed()
        wait_until(
            lambda: watched.standbys[0].execute("SELECT now() - pg_last_xact_replay_timestamp() > '1 s'") == [(True,)],
            10,
            "silence",
        )
        watched.standbys[0].set_lag(0.3)
        write()
        received(watched)
        lag = report("shop-1").lag
        assert lag is not None
        assert 0 < lag < 0.6


@pytest.mark.parametrize("user", ["postgres", "plain"])
@pytest.mark.parametrize("cause", ["cut off", "master gone"])
def test_a_replica_that_lost_its_master_is_not_zero_seconds_behind(clock: Clock, user: str, cause: str) -> None:
    """`plain` has no privileges: it sees of the WAL receiver only that there is one."""
    with PostgresCluster(standbys=1) as cluster:
        cluster.create_database("shop")
        cluster.master.execute("CREATE ROLE plain LOGIN; GRANT pg_read_all_data TO plain")
        with installed(cluster, user, PINDB_MAX_LAG_SECONDS=3600):
            assert reads() == {"shop-1"}
            assert report("shop-1").lag == 0
            if cause == "cut off":
                cut_off(cluster.standbys[0])
            else:
                cluster.master.process.kill()
                wait_until(
                    lambda: not cluster.standbys[0].execute("SELECT FROM pg_stat_wal_receiver"), 10, "it has noticed"
                )
            assert report("shop-1").lag is None
            assert "not connected to its master" in report("shop-1").why
            if cause == "cut off":
                clock.move(6)
                assert reads() == {"shop"}
            else:
                # There is no master to fall to: with no limit for the lag, old data is better than none.
                with override_settings(PINDB_MAX_LAG_SECONDS=None):
                    assert reads() == {"shop-1"}


def test_an_alias_of_the_masters_own_server_is_read_and_never_behind(watched: PostgresCluster) -> None:
    """In development a replica's entry often changes nothing."""
    with override_settings(MASTER_DATABASES={"shop": {}}, DATABASE_SETS={"shop": [{}]}, PINDB_MAX_LAG_SECONDS=2):
        connections["shop-1"].close()
        before = connections["shop-1"].settings_dict["PORT"]
        connections["shop-1"].settings_dict["PORT"] = watched.master.port
        try:
            assert reads() == {"shop-1"}
        finally:
            connections["shop-1"].close()
            connections["shop-1"].settings_dict["PORT"] = before


CONNECTED, PAUSED = True, True


class Answers:
    """A cursor that answers each query with the next of the rows."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = list(rows)

    def execute(self, query: str) -> None:
        assert "pg_is_wal_replay_paused" in query

    def fetchone(self) -> Any:
        return self.rows.pop(0)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(CONNECTED, "0/A", "0/A", 900, not PAUSED)], Report(lag=0.0, position="0/A")),
        ([(CONNECTED, "0/9", "0/A", None, not PAUSED)], Report(lag=0.0, position="0/A")),
        ([(None, "0/A", "0/A", 0, not PAUSED)], Report(position="0/A", why="it is not connected to its master")),
        ([(False, "0/A", "0/A", 0, not PAUSED)], Report(position="0/A", why="it is not connected to its master")),
        ([(CONNECTED, "0/A", "0/A", 0, PAUSED)], Report(position="0/A", why="its replay is paused")),
        ([(CONNECTED, "0/B", "0/A", 1, not PAUSED)], Report(lag=1.0, position="0/A")),
        ([(CONNECTED, "1/0", "0/FFFFFFFF", 9, not PAUSED)] * 2, Report(lag=9.0, position="0/FFFFFFFF")),
        (
            [(CONNECTED, "0/B", "0/A", None, not PAUSED)] * 2,
            Report(position="0/A", why="it has replayed no commit since it was started"),
        ),
        ([(CONNECTED, None, "0/A", 1, not PAUSED)], Report(lag=1.0, position="0/A")),
    ],
)  # fmt: skip
def test_what_a_standby_says_is_understood(rows: list[Any], expected: Report) -> None:
    cursor = Answers(rows)
    report = PostgreSQL().replica_report(cursor, max_lag=2)
    assert dataclasses.replace(report, log_bytes=None) == expected
    assert not cursor.rows, "no more and no fewer round trips"


def test_a_log_position_can_be_subtracted() -> None:
    ahead, behind = (
        PostgreSQL().replica_report(Answers([(CONNECTED, lsn, lsn, 0, not PAUSED)]), max_lag=2)
        for lsn in ("1/0", "0/FFFFFFFF")
    )
    assert ahead.log_bytes is not None
    assert behind.log_bytes is not None
    assert ahead.log_bytes - behind.log_bytes == 1


def test_unknown_lag_is_too_much_where_there_is_a_limit() -> None:
    settings = current_config().settings
    assert health.problem_in(Report(why="no privilege"), settings) == ""
    with override_settings(PINDB_MAX_LAG_SECONDS=2):
        assert "no privilege" in health.problem_in(Report(why="no privilege"), current_config().settings)
        assert health.problem_in(Report(lag=2.0), current_config().settings) == ""
        assert health.problem_in(Report(lag=2.1), current_config().settings) == "it is 2.1 s behind"


def test_sqlite_is_a_file_nobody_asks(asked: Probes) -> None:
    with override_settings(PINDB_MAX_LAG_SECONDS=1):
        from tests.shop.models import Order
        from tests.unit.routing.test_rules import REPLICAS, greedy

        assert greedy.db_for_read(Order) in REPLICAS
    assert asked.aliases == []
