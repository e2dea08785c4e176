"""`PINDB_MONOTONIC_READS`: nobody who is handed on to sees an older state than his caller saw; on real servers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
from django.core.signing import Signer
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings

import pindb
from pindb import propagation
from pindb.web.cookie import SALT
from pindb.web.middleware import PinDbMiddleware
from tests.carriers import NOTHING_PINNED, set_cookies
from tests.servers import wait_until

from .goods import Cluster, asking, in_thread, positions_in, publish, read_from, received, timed_in, write, written

COOKIE = "pindb_pinned_set"


@pytest.fixture(autouse=True)
def _setting() -> Iterator[None]:
    with override_settings(PINDB_MONOTONIC_READS=True):
        yield


def test_a_reader_of_a_replica_hands_on_how_far_it_was(goods: Cluster) -> None:
    written("abe")
    goods.wait_until_replayed()
    goods.standbys[1].pause_replay()
    written("abel")
    goods.standbys[0].resume_replay()
    while True:
        with pindb.pinning_context():
            place, seen = read_from("abel")
            if seen:
                assert place == "goods-1"
                message = publish()
                break
    assert positions_in(message)
    assert not timed_in(message)
    places = set()
    for _ in range(2):
        with received(message):
            place, seen = read_from("abel")
            assert seen
            places.add(place)
    assert places == {"goods-1"}, "the other one is older"


def outcome_of_a_reader(goods: Cluster, name: str) -> Any:
    """Return what goes back with the result of a task that has read a row which only the first replica has."""
    written(f"{name}'s elder")
    goods.wait_until_replayed()
    goods.standbys[1].pause_replay()
    written(name)
    wait_until(lambda: fresh_read(name) == ("goods-1", True), 30, "the first replica has the row")
    while True:
        with received(NOTHING_PINNED):
            if read_from(name) == ("goods-1", True):
                return json.loads(json.dumps(propagation.outcome()))


def fresh_read(name: str) -> tuple[str, bool]:
    with pindb.pinning_context():
        return read_from(name)


def test_what_a_task_has_read_goes_back_with_its_result(goods: Cluster) -> None:
    propagation.take(outcome_of_a_reader(goods, "ilse"))
    assert read_from("ilse") == ("goods", True), "its own replica may be the older one"
    message = publish()
    assert positions_in(message)
    assert pindb.get_newly_pinned() == set()
    for _ in range(4):
        with received(message):
            assert read_from("ilse") == ("goods-1", True)


def test_the_taker_of_many_results_hands_on_how_far_the_furthest_has_read(goods: Cluster) -> None:
    results = [outcome_of_a_reader(goods, "jan")]
    with received(NOTHING_PINNED):
        results.append(propagation.outcome())
    for result in results:
        propagation.take(result)
    assert positions_in(publish())


def test_a_result_says_nothing_of_reads_without_the_setting_or_without_a_read(goods: Cluster) -> None:
    with asking() as asked, received(NOTHING_PINNED):
        assert propagation.outcome() == {"given": NOTHING_PINNED, "new": NOTHING_PINNED}
        with override_settings(PINDB_MONOTONIC_READS=False):
            read_from("kim")
            assert propagation.outcome() == {"given": NOTHING_PINNED, "new": NOTHING_PINNED}
    assert asked == []


def test_the_position_is_that_of_the_last_read_not_of_the_first(goods: Cluster) -> None:
    read_from("bao")
    publish()
    written("bao")
    goods.wait_until_replayed()
    assert read_from("bao") == (pindb.get_replica("goods"), True)
    later = publish()
    for standby in goods.standbys:
        standby.pause_replay()
    after = written("bao's")
    assert positions_in(later) != positions_in(after)
    with received(later):
        assert read_from("bao")[0] != "goods", "nobody goes to the master for what the replica has"
    source, _, at = positions_in(later)[0].partition(":")
    assert positions_in(after)[0].startswith(source)
    assert int(at.partition("@")[0], 16) < int(positions_in(after)[0].partition(":")[2].partition("@")[0], 16)


def test_one_question_for_all_that_is_published_until_the_next_read(goods: Cluster) -> None:
    goods.wait_until_replayed()
    with asking() as asked:
        assert positions_in(publish()) == [], "nothing was read"
        replica, _ = read_from("cal")
        for _ in range(3):
            publish()
        assert asked == [replica]
        read_from("cal")
        publish()
    assert asked == [replica] * 2


def test_reads_of_the_master_are_handed_on_with_its_position(goods: Cluster) -> None:
    for standby in goods.standbys:
        standby.pause_replay()
    message = written("dov")
    with received(message):
        assert read_from("dov") == ("goods", True)
        with pindb.pinning_context():
            write("dov's")
        assert read_from("dov's") == ("goods", True)
        seen = publish()
    assert positions_in(seen) != positions_in(message)
    with pindb.pinning_context(), pindb.master("goods"):
        assert read_from("dov") == ("goods", True)
        assert positions_in(publish())
    with pindb.pinning_context(), transaction.atomic("goods"):
        assert read_from("dov") == ("goods", True)
        assert timed_in(publish()), "inside a transaction nothing is asked"


def test_a_write_covers_what_was_read(goods: Cluster) -> None:
    read_from("eos")
    write("eos")
    with asking() as asked:
        assert positions_in(publish())
    assert asked == ["goods"]


def test_the_cookie_is_set_only_when_the_position_has_moved(goods: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        read_from("fitz")
        return HttpResponse()

    def call(cookies: dict[str, str]) -> Any:
        request = HttpRequest()
        request.COOKIES.update(cookies)
        return next(iter(set_cookies(PinDbMiddleware(view)(request))), None)

    goods.wait_until_replayed()
    first = call({})
    assert positions_in(Signer(salt=SALT).unsign_object(first.value))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 5)
    assert call({COOKIE: first.value}) is None
    written("fitz")
    goods.wait_until_replayed()
    assert call({COOKIE: first.value}) is not None


def test_a_replica_that_was_chosen_and_not_read_is_not_asked(goods: Cluster) -> None:
    with pindb.pinning_context(), asking() as asked:
        assert pindb.get_replica("goods") in ("goods-1", "goods-2")
        assert publish() == NOTHING_PINNED
    assert asked == []


def test_by_default_nothing_is_asked_of_readers(goods: Cluster) -> None:
    with override_settings(PINDB_MONOTONIC_READS=False), asking() as asked:
        read_from("gem")
        assert publish() == NOTHING_PINNED
    assert asked == []


def test_reads_in_other_threads_of_the_context_count(goods: Cluster) -> None:
    read_from("hana")
    publish()
    written("hana")
    goods.wait_until_replayed()
    context = copy_context()
    assert in_thread(lambda: context.run(read_from, "hana"))[1]
    with asking() as asked:
        assert positions_in(publish())
    assert asked == ["goods"], "the other connection may have led to another server"
