"""A pin that came in with a position ends when the replica of the context has it, and not before: on real servers."""

from __future__ import annotations

import itertools
import random
import time
from typing import Any

import pytest
from django.db import connections, transaction

import pindb
from pindb.config.database_sets import current_config
from pindb.core import codec, frames
from pindb.routing import replica_choice
from pindb.servers import position_cache as position_cache_module
from pindb.servers.position_cache import position_cache
from tests.carriers import pins_of

from .goods import (
    Cluster,
    asking,
    databases,
    in_thread,
    learn_health,
    pause,
    positions_in,
    publish,
    read_from,
    received,
    resume,
    settings,
    timed_in,
    wait_until_one_has_replayed,
    write,
    written,
)


def test_a_replica_that_has_the_position_is_read_after_one_question_to_it(goods: Cluster) -> None:
    message = written("ada")
    goods.wait_until_replayed()
    with received(message), asking() as asked:
        assert pindb.is_pinned("goods")
        replica, seen = read_from("ada")
        assert (replica, seen) == (pindb.get_replica("goods"), True)
        assert not pindb.is_pinned("goods")
        read_from("ada")
    assert asked == [replica]


def test_a_replica_behind_the_position_means_the_master_to_the_end_of_the_context(goods: Cluster) -> None:
    learn_health()
    pause(goods)
    message = written("bea")
    with received(message), asking() as asked:
        assert read_from("bea") == ("goods", True)
        resume(goods)
        goods.wait_until_replayed()
        assert read_from("bea") == ("goods", True), "never back"
        assert pindb.is_pinned("goods")
        assert pindb.get_newly_pinned() == set()
    assert sorted(asked) == ["goods-1", "goods-2"], "each is asked once"


def test_a_pin_holds_beyond_its_pinning_seconds_while_the_replica_lacks_it(
    goods: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause(goods)
    message = written("cat")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86000)
    with received(message):
        assert read_from("cat") == ("goods", True)
    monkeypatch.setattr(time, "time", lambda: now + 86402)
    with received(message):
        assert not pindb.is_pinned("goods"), "PINDB_POSITION_SECONDS is over"


def test_a_timed_part_holds_whatever_the_replica_has(goods: Cluster) -> None:
    with pindb.pinning_context():
        with transaction.atomic("goods"):
            write("dan")
            inside = publish()
        after = publish()
    assert timed_in(inside)
    assert positions_in(after)
    goods.wait_until_replayed()
    message = codec.encode(pins_of(inside).join(pins_of(after)))
    with received(message), asking() as asked:
        assert read_from("dan") == ("goods", True)
    assert asked == []


def test_every_unit_of_work_finds_the_replica_that_has_replayed_the_position(
    goods: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(position_cache_module, "BEHIND_SECONDS", 1000.0)
    learn_health()
    goods.standbys[0].pause_replay()
    places, questions = [], []
    for number in range(6):  # round robin: the turn of each, three times
        message = written(f"eve {number}")
        wait_until_one_has_replayed(goods, goods.standbys[1])
        for _ in range(4):
            with received(message), asking("goods-1", "goods-2") as asked:
                places.append(read_from(f"eve {number}"))
            questions.append(list(asked))
            assert positions_in(publish_after(message)) == positions_in(message), "one replica lacks it"
    assert set(places) == {("goods-2", True)}
    assert sum(asked.count("goods-1") for asked in questions) <= 1, "a replica that lags is not asked in vain each time"
    assert sum(asked.count("goods-2") for asked in questions) == 6, "once for each position"


def test_a_replica_that_was_behind_is_asked_again_after_a_while(
    goods: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_choice, "_turns", {("goods-1", "goods-2"): itertools.repeat("goods-1")})
    learn_health()
    goods.standbys[0].pause_replay()
    message = written("eva")
    wait_until_one_has_replayed(goods, goods.standbys[1])
    with received(message):
        assert read_from("eva") == ("goods-2", True)
    goods.standbys[0].resume_replay()
    goods.wait_until_replayed()
    later = time.monotonic() + 1.0
    monkeypatch.setattr(time, "monotonic", lambda: later)
    with received(message):
        assert read_from("eva") == ("goods-1", True)


def test_units_of_work_that_wait_for_one_position_share_the_replicas(goods: Cluster) -> None:
    learn_health()
    message = written("evi")
    goods.wait_until_replayed()
    places = []
    with asking("goods-1", "goods-2") as asked:
        for _ in range(10):
            with received(message):
                places.append(read_from("evi")[0])
    assert places.count("goods-1") == places.count("goods-2") == 5
    if connections["goods"].vendor == "postgresql":
        assert sorted(asked) == ["goods-1", "goods-2"]


def publish_after(message: Any) -> Any:
    """Return what a unit of work hands on that came with `message` and does nothing."""
    with received(message):
        return publish()


def test_of_the_replicas_that_have_to_be_asked_those_with_an_open_connection_come_first(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    replicas = ("goods-1", "goods-2", "goods-3")
    behind, ahead = map(settings, cluster.standbys)
    monkeypatch.setattr(replica_choice, "_turns", {replicas: itertools.repeat("goods-1")})
    with databases(settings(cluster.master), behind, ahead, ahead):
        cluster.standbys[0].pause_replay()
        learn_health()
        message = written("eda")
        wait_until_one_has_replayed(cluster, cluster.standbys[1])
        for alias in ("goods-2", "goods-3") * 4:
            position_cache.forget()
            connections["goods-2"].close()
            connections["goods-3"].close()
            connections[alias].ensure_connection()
            with received(message), asking(*replicas) as asked:
                assert read_from("eda") == (alias, True)
            assert asked == ["goods-1", alias]


def test_reads_inside_a_transaction_on_the_master_use_it_and_settle_nothing(goods: Cluster) -> None:
    message = written("fay")
    goods.wait_until_replayed()
    with received(message), asking() as asked:
        with transaction.atomic("goods"):
            assert read_from("fay") == ("goods", True)
        assert asked == []
        assert pindb.is_pinned("goods")
        assert read_from("fay")[0] == pindb.get_replica("goods")
        with transaction.atomic("goods"):
            assert read_from("fay") == ("goods", True)


def test_overrides_settle_nothing(goods: Cluster) -> None:
    pause(goods)
    message = written("gus")
    with received(message), asking() as asked:
        with pindb.unpinned_replica("goods"):
            assert read_from("gus") == (pindb.get_replica("goods"), False)
        with pindb.master("goods"):
            assert read_from("gus") == ("goods", True)
        assert asked == []
        assert read_from("gus") == ("goods", True)


def test_a_write_or_a_pin_needs_no_question(goods: Cluster) -> None:
    message = written("hal")
    with received(message), asking() as asked:
        pindb.pin("goods")
        assert read_from("hal") == ("goods", True)
    with received(message), asking("goods-1", "goods-2") as asked:
        write("hal's")
        assert read_from("hal") == ("goods", True)
    assert asked == []


def test_a_transaction_on_the_replica_may_show_an_older_state_and_is_not_asked(goods: Cluster) -> None:
    message = written("ida")
    goods.wait_until_replayed()
    with received(message), transaction.atomic(pindb.get_replica("goods")), asking() as asked:
        assert read_from("ida") == ("goods", True)
    assert asked == []


def test_the_connection_that_was_asked_is_the_one_that_is_read(goods: Cluster) -> None:
    message = written("lyn")
    goods.wait_until_replayed()
    links: list[object] = []

    def note(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        links.append(context["connection"].connection)
        return execute(sql, params, many, context)

    replica = "goods-1"
    with received(message):
        replica = pindb.get_replica("goods")
        connections[replica].close()
        connections[replica].settings_dict["CONN_HEALTH_CHECKS"] = True
        with connections[replica].execute_wrapper(note):
            assert read_from("lyn") == (replica, True)
    assert len(links) >= 2
    assert len(set(map(id, links))) == 1


def test_threads_of_one_context_that_decide_at_once_end_in_one_place(goods: Cluster) -> None:
    """The pin is held once any of them has found the replica behind."""
    message = written("ole")
    with received(message):
        unit = frames.current_frame().unit
        db_set = current_config().sets["goods"]
        read_from("ole")
        unit.resolve_position(db_set, ended=False)
        assert read_from("ole")[0] == "goods"
        unit.resolve_position(db_set, ended=True)
        assert read_from("ole")[0] == "goods"


def test_nothing_is_read_stale_while_the_replicas_stop_and_go(goods: Cluster) -> None:
    rng = random.Random(7)
    places = []
    for number in range(60):
        standby = rng.choice(goods.standbys)
        rng.choice([standby.pause_replay, standby.resume_replay])()
        message = written(f"row {number}")
        if rng.random() < 0.3:
            in_thread(lambda number=number: None)
        for _ in range(2):
            with received(message):
                alias, seen = read_from(f"row {number}")
                assert seen
                places.append(alias)
                message = publish()
    assert set(places) > {"goods"}, "some were read from replicas"
