"""What a process has learned of replicas is not asked again, and is not believed of another server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from pindb.core.pins import PinnedPosition
from pindb.servers.position_cache import CACHE_SIZE, TRUST_SECONDS, PositionCache, position_cache
from pindb.servers.vendors.base import Translation

from .goods import (
    Cluster,
    asking,
    databases,
    in_thread,
    learn_health,
    move_floors,
    positions_in,
    publish,
    read_from,
    received,
    settings,
    written,
)


@pytest.fixture
def one_replica(cluster: Cluster) -> Iterator[Cluster]:
    with databases(settings(cluster.master), settings(cluster.standbys[0])):
        yield cluster


def is_postgresql() -> bool:
    return connections["goods"].vendor == "postgresql"


def test_a_replica_seen_beyond_a_position_is_not_asked_for_it_or_a_lower_one(one_replica: Cluster) -> None:
    lower, higher = written("amy"), written("bob")
    one_replica.wait_until_replayed()
    with asking() as asked:
        for message in (higher, lower, higher):
            with received(message):
                assert read_from("bob") == ("goods-1", True)
        assert asked == ["goods-1"]
        highest = written("cam")
        one_replica.wait_until_replayed()
        with received(highest):
            assert read_from("cam") == ("goods-1", True)
    assert asked == ["goods-1", "goods", "goods-1"]


def test_what_is_remembered_of_positions_not_reached_is_bounded() -> None:
    cache = PositionCache()
    for number in range(CACHE_SIZE + 1):  # as many failovers
        cache.note_unreached("goods", PinnedPosition(f"pA.{number:x}", 5, 0.0))
    assert cache.unreached("goods") == {f"pA.{CACHE_SIZE:x}": 5}


def test_what_an_old_position_means_counts_until_the_master_writes_yet_another_log() -> None:
    cache, old = PositionCache(), PinnedPosition("pA.1", 9, 0.0)
    cache.learn_master_logs("goods", {"pA.2": 5})
    assert cache.can_translate("goods", old) is None
    cache.learn_translation("goods", "pA.1", Translation({"pA.2": 5}, 2**64))
    assert cache.translated("goods", (old,)) == (PinnedPosition("pA.2", 5, 0.0),)
    cache.learn_master_logs("goods", {"pA.3": 6})
    assert cache.translated("goods", (old,)) == (old,)
    assert cache.can_translate("goods", old) is None


def test_a_replica_seen_behind_is_asked_again(one_replica: Cluster) -> None:
    one_replica.standbys[0].pause_replay()
    message = written("deb")
    with received(message):
        assert read_from("deb") == ("goods", True)
    one_replica.standbys[0].resume_replay()
    one_replica.wait_until_replayed()
    with received(message):
        assert read_from("deb") == ("goods-1", True)


def test_other_threads_and_later_connections_know_too_where_the_server_proves_who_it_is(one_replica: Cluster) -> None:
    message = written("edd")
    one_replica.wait_until_replayed()

    def read() -> list[str]:
        with asking("goods-1") as asked, received(message):
            assert read_from("edd") == ("goods-1", True)
        return asked

    assert read() == ["goods-1"]
    assert in_thread(read) == ["goods-1"], "the server may have been killed and started again in between"
    move_floors(one_replica)
    position_cache.forget()
    assert read() == ["goods-1"]
    again = [] if is_postgresql() else ["goods-1"]
    assert in_thread(read) == again
    connections["goods-1"].close()
    assert read() == again


def test_what_another_thread_has_learned_counts_for_connections_that_were_there_before(one_replica: Cluster) -> None:
    def read(name: str, message: Any) -> list[str]:
        with asking() as asked, received(message):
            assert read_from(name) == ("goods-1", True)
        return [alias for alias in asked if alias != "goods"]

    first = written("ema")
    one_replica.wait_until_replayed()
    assert read("ema", first) == ["goods-1"]
    second = written("emi")
    one_replica.wait_until_replayed()
    assert in_thread(lambda: read("emi", second)) == ["goods-1"]
    assert read("emi", second) == ([] if is_postgresql() else ["goods-1"])


def test_an_answer_is_believed_for_a_while_only(one_replica: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    message = written("fee")
    one_replica.wait_until_replayed()
    with received(message):
        read_from("fee")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + TRUST_SECONDS + 1)
    with asking() as asked, received(message):
        assert read_from("fee") == ("goods-1", True)
    assert asked == ["goods-1"]


def test_a_pin_that_every_replica_is_known_to_have_passed_is_not_handed_on(goods: Cluster) -> None:
    learn_health()
    message = written("guy")
    goods.wait_until_replayed()
    for _ in goods.standbys:
        with received(message):
            read_from("guy")
            assert positions_in(publish()) == positions_in(message), "a replica that is killed may come back without it"
    move_floors(goods)
    position_cache.forget()
    with received(message):
        read_from("guy")
        assert positions_in(publish()) == positions_in(message), "one of two is not known"
    with received(message):
        read_from("guy")
        passed = positions_in(publish()) == []
    assert passed is is_postgresql(), "MariaDB and MySQL do not prove that they are the only server at their address"
    with received(written("hue")):
        assert positions_in(publish()), "a later position"
