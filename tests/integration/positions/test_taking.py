"""Positions are taken after the commit, once, and only where something is handed on: on real servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models.signals import pre_save
from django.test import override_settings

import pindb
from pindb import interrupts, propagation
from pindb.core import codec
from pindb.core.pins import PinSet
from tests.carriers import pins_of
from tests.servers import wait_until
from tests.shop.models import Customer

from .goods import Cluster, asking, drop_connections, positions_in, publish, read_from, received, timed_in, write


def test_a_position_is_taken_once_for_all_that_is_published_until_the_next_write(goods: Cluster) -> None:
    with asking() as asked:
        write("ann")
        assert asked == []
        first = publish()
        assert [positions_in(publish()) for _ in range(3)] == [positions_in(first)] * 3
        assert read_from("ann") == ("goods", True)
        publish()
        assert asked == ["goods"]
        write("ann's")
        assert positions_in(publish()) != positions_in(first)
        pindb.pin("goods")
        publish()
    assert asked == ["goods"] * 3
    assert not timed_in(first)


def test_a_context_that_pinned_nothing_and_one_that_publishes_nothing_ask_nothing(goods: Cluster) -> None:
    with asking() as asked:
        read_from("ben")
        publish()
        write("ben")
    assert asked == []


def test_what_ends_a_task_from_outside_is_not_taken_for_a_server_s_failure(
    goods: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Celery's soft time limit, which is an `Exception` and arrives wherever the code is."""

    class Limit(Exception): ...  # noqa: N818

    def arrives(*_: Any) -> None:
        raise Limit

    monkeypatch.setattr(interrupts, "types", ())
    propagation.interrupted_by(Limit)
    write("limited")
    with connections["goods"].execute_wrapper(arrives), pytest.raises(Limit):
        publish()
    message = publish()
    either = [connections[alias].execute_wrapper(arrives) for alias in ("goods-1", "goods-2")]
    with received(message), either[0], either[1], pytest.raises(Limit):
        read_from("limited")


def test_inside_a_transaction_a_pin_is_timed_and_nothing_is_asked(goods: Cluster) -> None:
    with asking() as asked, transaction.atomic("goods"):
        write("cid")
        message = publish()
        assert asked == []
        transaction.on_commit(lambda: messages.append(publish()), using="goods")
        messages: list[Any] = []
    assert timed_in(message)
    assert not positions_in(message)
    assert positions_in(messages[0]), "after the commit"
    assert not timed_in(messages[0])
    assert asked == ["goods"]


@pytest.mark.parametrize("start", ["postgresql"], indirect=True)
@pytest.mark.parametrize("begin", ["transaction", "pipeline", "BEGIN"])
def test_a_transaction_that_django_has_not_begun_counts(goods: Cluster, begin: str) -> None:
    connection = connections["goods"]
    with connection.cursor() as cursor, getattr(connection.connection, begin, nullcontext)():
        if begin == "BEGIN":
            cursor.execute(begin)
        write(f"cis in {begin}")
        inside = publish()
        if begin == "BEGIN":
            cursor.execute("COMMIT")
    assert not positions_in(inside)
    assert timed_in(inside)
    assert positions_in(publish())


@pytest.mark.parametrize("how", ["written", "pinned"])
def test_a_transaction_open_in_another_thread_of_the_context_counts(goods: Cluster, how: str) -> None:
    wrote, published = threading.Event(), threading.Event()

    def writer() -> None:
        try:
            with transaction.atomic("goods"):
                if how == "written":
                    write("dot")
                else:
                    pindb.pin("goods")
                wrote.set()
                published.wait(10)
                write(f"dot's, {how}")
        finally:
            drop_connections()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(copy_context().run, writer)
        assert wrote.wait(10)
        message = publish()
        published.set()
        done.result()
    assert timed_in(message)
    assert positions_in(publish()) != positions_in(message)


def test_a_write_that_another_thread_is_about_to_make_counts_once_it_has(goods: Cluster) -> None:
    announced, published = threading.Event(), threading.Event()

    def waits(**_: Any) -> None:
        announced.set()
        published.wait(10)

    def writer() -> None:
        try:
            write("dov, announced")
        finally:
            drop_connections()

    pre_save.connect(waits, sender=Customer)
    try:
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(copy_context().run, writer)
            assert announced.wait(10)
            before = publish()
            published.set()
            done.result()
    finally:
        pre_save.disconnect(waits, sender=Customer)
    after = publish()
    assert positions_in(after) != positions_in(before)
    assert (timed_in(before), timed_in(after)) == (True, False)


@pytest.fixture
def publishes_before_saving() -> Iterator[list[Any]]:
    published: list[Any] = []

    def handler(**_: Any) -> None:
        published.append(publish())

    pre_save.connect(handler, sender=Customer)
    yield published
    pre_save.disconnect(handler, sender=Customer)


def test_a_message_published_between_the_routers_answer_and_the_write_does_not_spoil_the_next(
    goods: Cluster, publishes_before_saving: list[Any]
) -> None:
    for standby in goods.standbys:
        standby.pause_replay()
    goods.standbys[0].resume_replay()
    write("eli")
    assert positions_in(publish()) != positions_in(publishes_before_saving[0])


@pytest.mark.parametrize("statement", ["UPDATE", "raw SELECT", "cursor"])
def test_a_write_that_no_router_hears_of_makes_the_position_void(goods: Cluster, statement: str) -> None:
    row = write(f"flo {statement}")
    first = publish()
    if statement == "UPDATE":
        row.name = "flo II"
        row.save(using="goods")
    elif statement == "cursor":
        with connections["goods"].cursor() as cursor:
            cursor.execute("DELETE FROM shop_customer WHERE name = 'flo cursor'")
    else:
        with connections["goods"].cursor() as cursor:
            cursor.execute("SELECT 1")
    with asking() as asked:
        again = publish()
    assert asked == ["goods"]
    assert positions_in(again)
    if statement != "raw SELECT":
        assert positions_in(again) != positions_in(first)


def test_what_is_joined_with_a_messages_own_pins_loses_neither(goods: Cluster) -> None:
    write("gil")
    first = publish()
    with pindb.pinning_context(), transaction.atomic("goods"):
        write("gil's")
        both = json.loads(json.dumps(propagation.outgoing(first)))
    assert timed_in(both)
    assert positions_in(both) == positions_in(first)


def test_a_message_of_two_sets_fits_into_its_bytes(goods: Cluster) -> None:
    write("ian")
    pin = pins_of(publish())["goods"]
    header = {"pindb": codec.encode(PinSet.of({"default": pin, "analytics": pin}))}
    assert len(json.dumps(header, separators=(",", ":"))) <= 150


def test_an_eager_tasks_write_is_its_callers(goods: Cluster) -> None:
    write("max")
    first = publish()
    with propagation.open_eager():
        write("max's")
    assert positions_in(publish()) != positions_in(first)


def test_a_result_that_was_waited_for_is_handed_on_with_a_position_of_its_own(goods: Cluster) -> None:
    with received(None):
        write("nan")
        result = json.loads(json.dumps(propagation.outcome()))
    drop_connections()  # as in another process: that wrote over a connection of its own
    propagation.take(result)
    assert read_from("nan") == ("goods", True)
    with asking() as asked:
        first = publish()
        assert positions_in(first)
    assert asked == ["goods"]
    Customer(name="nan's").save(using="goods")
    assert positions_in(publish()) != positions_in(first), (
        "no router was ever asked, the connection is watched all the same"
    )


def test_a_position_just_behind_a_page_header_is_reached(goods: Cluster) -> None:
    """No standby reports the header of a page on which there is nothing yet; an idle master never fills it."""
    if connections["goods"].vendor == "mysql":
        pytest.skip("PostgreSQL's WAL")
    for _ in range(10):  # the master may write a note of its own in between, of the transactions that run
        goods.master.execute("SELECT pg_switch_wal()")
        pindb.pin("goods")
        message = publish()
        at = int(positions_in(message)[0].partition(":")[2].partition("@")[0], 16)
        if at % 8192 == 0:
            break
    assert at % 8192 == 0

    def place() -> str:
        with received(message):
            return read_from("nobody")[0]

    wait_until(lambda: place() != "goods", 10, "a replica is read")


def test_in_time_mode_nothing_is_asked(goods: Cluster) -> None:
    with override_settings(PINDB_CONSISTENCY="time"), asking() as asked:
        write("ora")
        message = publish()
        with received(message):
            assert read_from("ora") == ("goods", True)
    assert timed_in(message)
    assert not positions_in(message)
    assert asked == []


def test_what_a_unit_of_work_inside_this_one_writes_makes_the_position_void(goods: Cluster) -> None:
    write("pax")
    first = publish()
    with pindb.pinning_context():
        write("pax's")
    assert positions_in(publish()) != positions_in(first)


def test_a_commit_that_was_not_waited_for_is_before_the_position(goods: Cluster) -> None:
    if connections["goods"].vendor == "mysql":
        pytest.skip("PostgreSQL's synchronous_commit")
    with connections["goods"].cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    try:
        for number in range(20):
            with pindb.pinning_context():
                write(f"quy {number}")
                message = publish()
            with received(message):
                assert read_from(f"quy {number}")[1]
    finally:
        connections["goods"].close()
