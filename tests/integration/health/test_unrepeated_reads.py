"""Reads that fail on their replica and are not repeated: it would be noticed, or is no business of the master's."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import Error, connections, transaction
from django.db.models.sql.constants import CURSOR, MULTI, NO_RESULTS, ROW_COUNT, SINGLE
from django.test import override_settings

import pindb
from pindb import interrupts
from pindb.routing.orm import repeated_reads
from pindb.routing.writes.statements import effect_of
from tests.integration.health import losses
from tests.integration.health.losses import (
    TOTALS,
    WAITS,
    held_orders,
    kill_connection,
    kill_reader,
    lost_while_read,
    raw_orders,
    totals,
)
from tests.servers import PostgresCluster
from tests.shop.models import Customer, Order


@pytest.fixture
def shop(stocked: PostgresCluster) -> PostgresCluster:
    return stocked


@contextlib.contextmanager
def fails(text: str = "terminat|closed") -> Iterator[None]:
    """The block raises the replica's error, and the unit of work keeps its replica."""
    # psycopg2 fails to close a server-side cursor, and that error Django does not turn into its own.
    with pytest.raises((Error, connections["shop-1"].Database.Error), match=text):
        yield
    assert pindb.get_replica("shop") == "shop-1"


@pytest.mark.parametrize("function", [lambda: list(held_orders()), lambda: list(raw_orders())])
def test_inside_a_transaction_on_the_replica(shop: PostgresCluster, function: Callable[[], Any]) -> None:
    with fails(), transaction.atomic("shop-1"), lost_while_read(shop, kill_reader):
        function()


def test_inside_a_transaction_without_atomic(shop: PostgresCluster) -> None:
    transaction.set_autocommit(False, using="shop-1")
    list(Order.objects.all())
    with fails(), lost_while_read(shop, kill_reader):
        list(held_orders())


@pytest.mark.parametrize("alias", [lambda: "shop-1", lambda: pindb.get_replica("shop")])
def test_of_a_replica_that_the_user_has_named(shop: PostgresCluster, alias: Callable[[], str]) -> None:
    for read in (
        lambda: list(Order.objects.using(alias())),
        lambda: Order.objects.using(alias()).count(),
        lambda: list(Order.objects.using(alias()).iterator()),
        lambda: list(Order.objects.using(alias()).raw("SELECT * FROM shop_order")),
    ):
        connections["shop-1"].ensure_connection()
        kill_connection()
        with fails():
            read()
        connections["shop-1"].close()


def test_of_a_raw_cursor(shop: PostgresCluster) -> None:
    kill_connection()
    with fails(), connections[Order.objects.all().db].cursor() as cursor:
        cursor.execute("SELECT 1")


def test_after_rows_were_handed_out(shop: PostgresCluster) -> None:
    rows = Order.objects.order_by("pk").iterator(chunk_size=1)
    assert next(rows).total == TOTALS[0]
    kill_connection()
    with fails():
        list(rows)


@pytest.mark.parametrize("function", [lambda: list(held_orders()), lambda: list(held_orders().iterator())])
def test_that_somebody_has_cancelled(shop: PostgresCluster, function: Callable[[], Any]) -> None:
    with fails("user request|cursor .* does not exist"), lost_while_read(shop, losses.cancel_reader):
        function()


def test_that_runs_into_its_timeout(shop: PostgresCluster) -> None:
    with connections["shop-1"].cursor() as cursor:
        cursor.execute("SET statement_timeout = '100ms'")
    with fails("statement timeout"), lost_while_read(shop, lambda _: None):
        list(held_orders())


def test_that_ran_for_long(shop: PostgresCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated_reads, "REPEATED_WITHIN", 0.0)
    for function in (lambda: list(held_orders()), lambda: list(raw_orders())):
        with fails(), lost_while_read(shop, kill_reader):
            function()
        connections["shop-1"].close()


def test_of_a_report_that_is_cancelled_for_a_conflict(shop: PostgresCluster) -> None:
    with pindb.unpinned_replica("shop"), fails("conflict with recovery"), lost_while_read(shop, losses.conflict):
        list(held_orders())


@override_settings(PINDB_SEPARATE_PINS=["shop.Order"])
def test_of_a_report_on_tables_with_separate_pins(shop: PostgresCluster) -> None:
    with pindb.unpinned_replica("shop.shop"), fails("conflict with recovery"), lost_while_read(shop, losses.conflict):
        list(held_orders())
    with pindb.unpinned_replica("shop.shop"), lost_while_read(shop, losses.conflict):
        assert Customer.objects.extra(where=[WAITS]).get(orders__total=1).name == "Ada"


def test_that_has_an_error_of_its_own(shop: PostgresCluster) -> None:
    with fails("does not exist"):
        list(Order.objects.extra(where=["no_such_column = 1"]))
    with fails("does not exist"):
        list(Order.objects.raw("SELECT * FROM no_such_table"))


def test_where_the_setting_says_no(shop: PostgresCluster, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(PINDB_RETRY_ON_MASTER=False):
        list(Order.objects.all())
        kill_connection()
        with fails():
            list(Order.objects.all())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_raw_sql_that_writes_and_that_a_lost_replica_was_asked_for(shop: PostgresCluster) -> None:
    insert = "INSERT INTO shop_customer (name) VALUES ('Eve') RETURNING id, name"
    assert effect_of(insert).writes
    kill_connection()
    with fails():
        list(Order.objects.using("shop-1").raw(insert))
    assert shop.master.execute("SELECT FROM shop_customer WHERE name = 'Eve'", database="shop") == []


class TimeIsUpError(Exception):
    """As a task queue raises it into running code."""


@pytest.fixture
def _time_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "types", (TimeIsUpError,))


@pytest.mark.usefixtures("_time_limits")
@pytest.mark.parametrize("kind", [TimeIsUpError, KeyboardInterrupt])
def test_that_a_time_limit_has_ended(shop: PostgresCluster, kind: type[BaseException]) -> None:
    def when_it_fails(execute: Callable[..., Any], *args: Any) -> Any:
        try:
            return execute(*args)
        except Error as error:
            raise kind from error

    def before_it_fails(execute: Callable[..., Any], *args: Any) -> Any:
        try:
            raise kind  # noqa: TRY301
        except kind:  # the driver is told to clean up, and finds the connection closed
            return execute(*args)

    for wrapper, raised in ((when_it_fails, kind), (before_it_fails, Error)):
        connections["shop-1"].ensure_connection()
        kill_connection()
        with connections["shop-1"].execute_wrapper(wrapper), pytest.raises(raised):
            list(Order.objects.all())
        assert pindb.get_replica("shop") == "shop-1"
        connections["shop-1"].close()


@pytest.mark.usefixtures("_time_limits")
def test_a_time_limit_passes_that_comes_while_the_connection_is_closed(
    shop: PostgresCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_connection()
    close = type(connections["shop-1"])._close

    def interrupted(connection: Any) -> None:
        close(connection)
        raise TimeIsUpError

    monkeypatch.setattr(connections["shop-1"], "_close", interrupted.__get__(connections["shop-1"]))
    with pytest.raises(TimeIsUpError):
        list(Order.objects.all())
    assert totals(Order.objects.order_by("pk")) == TOTALS
    assert pindb.get_replica("shop") == "shop"


def test_a_result_is_of_the_kind_that_django_returns(shop: PostgresCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def result(*args: Any, alias: str = "", **kwargs: Any) -> Any:
        orders = Order.objects.order_by("pk")
        return orders.query.get_compiler(using=alias or orders.db).execute_sql(*args, **kwargs)

    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        assert Order.objects.all().db == "shop-1"
        return result(*args, **kwargs), result(*args, alias="shop", **kwargs)

    for kwargs in ({}, {"result_type": MULTI}, {"chunk_size": 2}):
        routed, plain = both(**kwargs)
        assert type(routed) is type(plain) is list
        assert routed == plain
    routed, plain = both(chunked_fetch=True, chunk_size=2)
    assert not isinstance(routed, list)
    assert list(map(len, routed)) == list(map(len, plain)) == [2, 1]
    monkeypatch.setattr(connections["shop-1"].features, "can_use_chunked_reads", False)
    monkeypatch.setattr(connections["shop"].features, "can_use_chunked_reads", False)
    routed, plain = both(chunked_fetch=True)
    assert type(routed) is type(plain) is list
    assert routed == plain
    assert both(SINGLE)[0] == both(SINGLE)[1]
    for kind in (CURSOR, NO_RESULTS, ROW_COUNT):
        routed, plain = both(kind)
        assert type(routed) is type(plain)
        if kind == CURSOR:
            assert routed.fetchall() == plain.fetchall()


def test_an_iterator_over_nothing(shop: PostgresCluster) -> None:
    assert list(Order.objects.filter(total=7).iterator()) == []
    assert list(Order.objects.none().iterator()) == []
    assert list(Order.objects.extra(where=[WAITS]).filter(pk__in=[]).iterator()) == []
    assert Order.objects.all().db == "shop-1"


def test_an_iterator_that_nobody_finishes_closes_its_cursor(shop: PostgresCluster) -> None:
    rows = Order.objects.order_by("pk").iterator(chunk_size=1)
    next(rows)
    rows.close()
    with connections["shop-1"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE '_django_curs%'")
        assert cursor.fetchone() == (0,)


def test_only_results_that_are_reads_are_repeated(shop: PostgresCluster) -> None:
    orders = Order.objects.all()
    kill_connection()
    with fails():
        orders.query.get_compiler(using=orders.db).execute_sql(ROW_COUNT)
