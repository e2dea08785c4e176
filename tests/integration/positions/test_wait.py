"""A read waits a moment for the replica that is about to have the data, and only where waiting can help."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.test import override_settings

import pindb
from pindb.adapters.wait_for_replica import CaughtUp
from pindb.routing import position_wait
from pindb.servers.vendors import mariadb, mysql
from pindb.servers.vendors.base import QUERY_MARKER
from tests.servers import PostgresCluster
from tests.servers.mysql import MySQLCluster
from tests.shop.models import Customer

from .goods import (
    Cluster,
    asking,
    drop_connections,
    learn_health,
    pause,
    publish,
    read_from,
    received,
    resume,
    wait_until_one_has_replayed,
    written,
)

LONG = 20.0
"""Seconds after which a test fails that should not have to wait so long."""


@pytest.fixture(autouse=True)
def _no_waits_in_vain() -> Iterator[None]:
    position_wait._in_vain.clear()
    yield
    position_wait._in_vain.clear()


@contextmanager
def waiting(seconds: float, **options: Any) -> Iterator[None]:
    """Run with this setting; the replicas are known to be up."""
    with override_settings(PINDB_POSITION_WAIT_SECONDS=seconds, **options):
        learn_health()
        yield


@contextmanager
def when_it_waits(action: Callable[[], object]) -> Iterator[None]:
    """Run `action` before pindb asks one replica for the second time."""
    asked: list[str] = []

    def note(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if str(sql).startswith(QUERY_MARKER):
            alias = context["connection"].alias
            if asked.count(alias) == 1:
                action()
            asked.append(alias)
        return execute(sql, params, many, context)

    with connections["goods-1"].execute_wrapper(note), connections["goods-2"].execute_wrapper(note):
        yield


def test_a_read_waits_for_a_replica_that_gets_there_in_time(goods: Cluster) -> None:
    pause(goods)
    message = written("wait: abby")
    with waiting(LONG), received(message):
        with when_it_waits(lambda: resume(goods)):
            alias, seen = read_from("wait: abby")
        assert (alias, seen) in (("goods-1", True), ("goods-2", True))
        assert pindb.get_replica("goods") == alias
        assert not pindb.is_pinned("goods")


def test_the_wait_is_bounded_and_ends_on_the_master(goods: Cluster) -> None:
    pause(goods)
    message = written("wait: adam")
    with waiting(0.3), received(message):
        began = time.monotonic()
        assert read_from("wait: adam") == ("goods", True)
        assert 0.3 <= time.monotonic() - began < LONG
        with asking() as asked:
            assert read_from("wait: adam") == ("goods", True)
        assert asked == [], "once in a unit of work"


def test_it_waits_for_the_replica_that_is_nearest(goods: Cluster) -> None:
    goods.standbys[0].pause_replay()
    written("wait: agnes")
    wait_until_one_has_replayed(goods, goods.standbys[1])
    goods.standbys[1].pause_replay()
    message = written("wait: agnes again")
    there = when_it_waits(goods.standbys[1].resume_replay)
    with waiting(LONG), received(message), there, asking("goods-1", "goods-2") as asked:
        assert read_from("wait: agnes again") == ("goods-2", True)
    assert asked.count("goods-1") == 1


def test_without_a_wait_each_replica_is_asked_once(goods: Cluster) -> None:
    pause(goods)
    with waiting(0), received(written("wait: al")), asking() as asked:
        assert read_from("wait: al") == ("goods", True)
    assert sorted(asked) == ["goods-1", "goods-2"]


def test_mariadb_and_mysql_wait_by_themselves_and_are_asked_afterwards(goods: Cluster) -> None:
    if isinstance(goods, PostgresCluster):
        pytest.skip("PostgreSQL is polled")
    pause(goods)
    statements: list[str] = []

    def note(execute: Callable[..., Any], sql: Any, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    notes = [connections[alias].execute_wrapper(note) for alias in ("goods-1", "goods-2")]
    with waiting(0.2), received(written("wait: ana")), notes[0], notes[1]:
        assert read_from("wait: ana") == ("goods", True)
    page = mysql if isinstance(goods, MySQLCluster) else mariadb
    assert statements == [page.REPLAYED, page.REPLAYED, page.WAIT, page.REPLAYED]


def test_a_position_that_no_replica_gets_to_is_not_waited_for(goods: Cluster) -> None:
    message = f"1;goods=pAAAAAAAAAAA.1:5@{int(time.time()) + 100}"
    with waiting(LONG), received(message), asking() as asked:
        assert read_from("wait: ann")[0] == "goods"
    assert sorted(asked) == ["goods-1", "goods-2"]


def test_nobody_waits_in_a_transaction(goods: Cluster) -> None:
    pause(goods)
    message = written("wait: ari")
    settings_with = waiting(LONG, PINDB_READS_IN_ATOMIC="replica")
    with settings_with, received(message), transaction.atomic("goods"), asking() as asked:
        assert read_from("wait: ari") == ("goods", True)
    assert sorted(asked) == ["goods-1", "goods-2"]


async def test_nobody_waits_in_an_event_loop(goods: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_it() -> Any:
        pause(goods)
        return written("wait: asa")

    message = await sync_to_async(write_it)()
    monkeypatch.setattr(position_wait, "wait_until_replayed", lambda *_: pytest.fail("it waited"))
    monkeypatch.setattr(position_wait, "distance_to", lambda *_: 1)
    with override_settings(PINDB_POSITION_WAIT_SECONDS=LONG), received(message):
        await sync_to_async(learn_health)()
        assert Customer.objects.all().db == "goods"
    await sync_to_async(drop_connections)()


def test_a_task_that_may_be_put_back_does_not_wait(goods: Cluster) -> None:
    pause(goods)
    with waiting(LONG), received(written("wait: ava")), asking() as asked:
        assert CaughtUp("goods").requeue_needed(None)
    assert sorted(asked) == ["goods-1", "goods-2"]


def test_after_three_waits_in_vain_one_read_a_second_waits(goods: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    goods.standbys[1].pause_replay()
    written("wait: before bea")
    wait_until_one_has_replayed(goods, goods.standbys[0])
    goods.standbys[0].pause_replay()
    message = written("wait: bee")
    now = time.monotonic()
    monkeypatch.setattr(position_wait, "clock", lambda: now)

    def has_waited() -> bool:
        with received(message), asking("goods-1", "goods-2") as asked:
            assert read_from("wait: bee") == ("goods", True)
        return len(asked) > 2

    with waiting(0.03):
        assert [has_waited() for _ in range(6)] == [True] * 3 + [False] * 3
        now += position_wait.PAUSE_SECONDS
        assert [has_waited() for _ in range(3)] == [True, False, False]
    goods.standbys[0].resume_replay()
    wait_until_one_has_replayed(goods, goods.standbys[0])
    goods.standbys[0].pause_replay()
    message = written("wait: ben")
    others_try_at = []

    def arrive() -> None:
        others_try_at.append(position_wait._in_vain["goods-1"].again_at)
        goods.standbys[0].resume_replay()

    with waiting(LONG):
        now += position_wait.PAUSE_SECONDS
        with received(message), when_it_waits(arrive):
            assert read_from("wait: ben") == ("goods-1", True)
    assert others_try_at == [now + position_wait.PAUSE_SECONDS], "one at a time"
    assert position_wait._in_vain == {}, "a wait that was not in vain ends the pause"


def test_what_was_waited_for_is_handed_on_all_the_same(goods: Cluster) -> None:
    pause(goods)
    message = written("wait: boris")
    with waiting(LONG), received(message), when_it_waits(lambda: resume(goods)):
        assert read_from("wait: boris")[1]
        assert publish() == message
