"""MySQL's positions are sets of transactions: gaps, tags, many sources, and old ones after a failover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from django.db import connections

from pindb import checks
from pindb.core.codec import POSITION
from pindb.servers.vendors.gtid_sets import source_of
from tests.servers import mysql as mysql_servers
from tests.servers import wait_until
from tests.servers.mysql import MySQLCluster
from tests.services import mysql

from .goods import (
    asking,
    databases,
    learn_health,
    positions_in,
    prepare,
    publish,
    read_from,
    received,
    settings,
    timed_in,
    written,
)

pymysql.install_as_MySQLdb()

FOREIGN = "11111111-2222-3333-4444-{:012d}"


@pytest.fixture(scope="module")
def start() -> Any:
    mysql()  # or the tests are skipped
    return mysql


@pytest.fixture
def own(start: Any) -> Iterator[MySQLCluster]:
    """A cluster whose sets, settings or master the test changes."""
    with start(standbys=2) as cluster:
        prepare(cluster)
        yield cluster


@pytest.fixture(scope="module")
def shared(start: Any) -> Iterator[MySQLCluster]:
    with start(standbys=2) as cluster:
        prepare(cluster)
        yield cluster


@pytest.fixture
def goods(shared: MySQLCluster) -> Iterator[MySQLCluster]:
    """A cluster whose replicas are in step, as the DB set "goods"."""
    for standby in shared.standbys:
        standby.resume_replay()
    shared.wait_until_replayed()
    with databases(*map(settings, (shared.master, *shared.standbys))):
        learn_health()
        yield shared


def place_of(message: Any, name: str) -> tuple[str, bool]:
    with received(message):
        return read_from(name)


def uuid_of(server: Any) -> str:
    [(uuid,)] = server.execute("SELECT @@server_uuid")
    return str(uuid)


def execute(server: Any, *statements: str) -> None:
    """Run statements in one session of the tests' own."""
    session = pymysql.connect(host="127.0.0.1", port=server.port, user="root", database="goods", autocommit=True)
    with session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def commit_as(server: Any, *gtids: str) -> None:
    """Commit empty transactions of these names, as tools do that repair replicas."""
    for gtid in gtids:
        execute(server, f"SET gtid_next = '{gtid}'", "BEGIN", "COMMIT")


def last_of(server: Any, uuid: str) -> int:
    """Return the end of the first interval of what `uuid` has written."""
    (intervals,) = (part for part in server.position().split(",") if part.startswith(uuid))
    return int(intervals.split(":")[1].rpartition("-")[2])


def test_a_position_names_the_server_that_wrote_and_the_last_of_its_transactions(goods: MySQLCluster) -> None:
    (position,) = positions_in(written("ava"))
    log, _, offset = position.partition("@")[0].partition(":")
    assert log == source_of(uuid_of(goods.master))
    assert goods.master.position() == f"{uuid_of(goods.master)}:1-{int(offset, 16)}"


def test_a_replica_that_has_a_transaction_and_lacks_one_before_it_has_not_caught_up(goods: MySQLCluster) -> None:
    """As replicas that apply in parallel without replica_preserve_commit_order."""
    for standby in goods.standbys:
        standby.pause_replay()
    uuid = uuid_of(goods.master)
    message = written("abe")
    last = last_of(goods.standbys[0], uuid)
    for standby in goods.standbys:
        commit_as(standby, f"{uuid}:{last + 2}")  # the next but one
    also = written("abe's")
    assert place_of(also, "abe's") == ("goods", True)
    assert place_of(message, "abe") == ("goods", True)
    for standby in goods.standbys:
        commit_as(standby, f"{uuid}:{last + 1}")
    assert place_of(also, "abe's")[0] != "goods", "no gap is left"


def test_a_master_with_gaps_asks_for_each_interval_also_once_the_gaps_are_filled(goods: MySQLCluster) -> None:
    """As in Group Replication, whose members take numbers in blocks."""
    uuid = uuid_of(goods.master)
    gap = last_of(goods.master, uuid) + 10
    commit_as(goods.master, f"{uuid}:{gap}")
    message = written("aby")  # takes the first free number
    assert len(positions_in(message)) == 2
    goods.wait_until_replayed()
    assert place_of(message, "aby")[0] != "goods"
    commit_as(goods.master, *(f"{uuid}:{number}" for number in range(last_of(goods.master, uuid) + 1, gap)))
    goods.wait_until_replayed()
    assert goods.master.position() == f"{uuid}:1-{gap}"
    connections["goods-1"].close()
    connections["goods-2"].close()
    assert place_of(message, "aby")[0] != "goods"


@pytest.mark.parametrize("tag", ["backfill", "a_tag_of_32_characters_is_too_long"[:32]])
def test_a_tagged_transaction_is_waited_for(goods: MySQLCluster, tag: str) -> None:
    version = goods.master.execute("SELECT @@version")[0][0]
    if tuple(map(int, version.split(".")[:2])) < (8, 3):
        pytest.skip("tags came with MySQL 8.3")
    for standby in goods.standbys:
        standby.pause_replay()
    goods.master.execute("GRANT TRANSACTION_GTID_TAG, SESSION_VARIABLES_ADMIN ON *.* TO 'shop'@'%'")
    connections["goods"].close()
    with connections["goods"].cursor() as cursor:
        cursor.execute(f"SET gtid_next = 'AUTOMATIC:{tag}'")
    message = written(f"amy {tag}")
    assert timed_in(message) is (len(tag) == 32), "its name does not fit into a message"
    assert all(POSITION.fullmatch(position) for position in positions_in(message))
    assert place_of(message, f"amy {tag}") == ("goods", True)
    for standby in goods.standbys:
        standby.resume_replay()
    goods.wait_until_replayed()
    assert (place_of(message, f"amy {tag}")[0] != "goods") is (len(tag) < 32)


def test_a_cluster_with_a_long_history_asks_for_the_transactions_of_its_master_alone(own: MySQLCluster) -> None:
    with databases(*map(settings, (own.master, *own.standbys)), PINDB_MONOTONIC_READS=True):
        for number in range(9):
            commit_as(own.master, f"{FOREIGN.format(number)}:1")
        with asking("goods") as asked:
            (position,) = positions_in(written("ann"))
        assert position.startswith(source_of(uuid_of(own.master)))
        assert len(asked) == 2, "the second one asks for the name of its group"
        own.wait_until_replayed()
        assert "runs in position mode (MySQL, asked just now)" in str(checks.check_positions(["goods"])[0])
        with received(None):
            read_from("ann")
            assert timed_in(publish()), "a replica does not know who its master is"


def test_what_a_replica_has_written_itself_is_no_other_replicas_to_wait_for(own: MySQLCluster) -> None:
    with databases(*map(settings, (own.master, *own.standbys)), PINDB_MONOTONIC_READS=True):
        for standby in own.standbys:
            standby.execute("CREATE DATABASE reports")
        written("art")
        own.wait_until_replayed()
        with received(None):
            read_from("art")
            message = publish()
        assert len(positions_in(message)) == 1
        for _ in range(2):
            assert place_of(message, "art")[0] != "goods"


def test_without_gtids_pins_are_timed_and_check_says_so(own: MySQLCluster) -> None:
    with databases(*map(settings, (own.master, *own.standbys))):
        own.master.execute("SET GLOBAL gtid_mode = ON_PERMISSIVE")
        message = written("asa")
        assert timed_in(message)
        assert not positions_in(message)
        (said,) = checks.check_positions(["goods"])
        assert "runs in time mode, not in position mode" in said.msg
        assert "gtid_mode = ON" in said.msg


def test_without_a_binary_log_pins_are_timed(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_servers, "OPTIONS", [*mysql_servers.OPTIONS, "--skip-log-bin"])
    with start(standbys=0) as cluster:
        prepare(cluster)
        commit_as(cluster.master, f"{FOREIGN.format(0)}:1")  # a set of before: it does not grow any more
        with databases(settings(cluster.master)):
            message = written("ava")
            assert timed_in(message)
            assert not positions_in(message)


def test_a_replica_is_read_again_at_once_after_a_failover_and_the_master_is_not_asked(own: MySQLCluster) -> None:
    new, other = own.standbys
    with databases(*map(settings, (own.master, *own.standbys))):
        old = written("before")
        own.wait_until_replayed()
        other.stop_following()
        late = written("late")
    wait_until(lambda: new.has_replayed(own.master.position()), 30, "the new master has it")
    own.master.process.kill()
    new.promote()
    with databases(settings(new), settings(other)):
        with asking("goods") as asked:
            assert place_of(old, "before") == ("goods-1", True), "it does not even follow yet"
            assert place_of(late, "late") == ("goods", True)
            other.follow(new)
            wait_until(lambda: place_of(late, "late") == ("goods-1", True), 30, "it has followed")
        assert asked == []
        assert len(positions_in(written("after"))) == 2, "of both masters"


def test_the_first_transaction_of_a_new_master_is_waited_for(
    own: MySQLCluster, caplog: pytest.LogCaptureFixture
) -> None:
    own.master.process.kill()
    new, other = own.standbys
    new.promote()
    other.follow(new)
    other.pause_replay()
    with databases(settings(new), settings(other), PINDB_POSITION_WAIT_SECONDS=20):
        learn_health()
        message = written("first")
        with received(message), connections["goods-1"].execute_wrapper(resume_before_it_waits(other)):
            assert read_from("first") == ("goods-1", True)
    assert caplog.records == []


def resume_before_it_waits(standby: Any) -> Any:
    def note(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if "WAIT_FOR_EXECUTED_GTID_SET" in sql:
            standby.resume_replay()
        return execute(sql, params, many, context)

    return note


def test_a_position_of_another_cluster_means_the_master(goods: MySQLCluster) -> None:
    message = written("bea").replace(source_of(uuid_of(goods.master)), source_of(FOREIGN.format(7)))
    goods.wait_until_replayed()
    for _ in range(2):
        assert place_of(message, "bea") == ("goods", True)
