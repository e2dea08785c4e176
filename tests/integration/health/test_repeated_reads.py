"""A read that its replica cannot finish is repeated on the master, with the right rows and without an error."""

from __future__ import annotations

import decimal
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError, connections
from django.db.models import Count, Prefetch, Sum

import pindb
from pindb.config.database_sets import current_config
from pindb.core.frames import current_frame
from pindb.routing.decision import Reason
from pindb.routing.rules import decide
from tests.integration.health import losses
from tests.integration.health.losses import (
    KILLED,
    TOTALS,
    Loss,
    held_orders,
    kill_connection,
    kill_reader,
    lost_while_read,
    raw_orders,
    stock,
    totals,
)
from tests.integration.health.shop import Clock, Probes, installed, read
from tests.integration.positions.balancers import Balancer
from tests.servers import PostgresCluster, free_port
from tests.shop.models import Customer, Order


@pytest.fixture
def shop(stocked: PostgresCluster) -> PostgresCluster:
    return stocked


async def asynchronous() -> list[decimal.Decimal]:
    return [order.total async for order in held_orders()]


async def asynchronous_iterator() -> list[decimal.Decimal]:
    return [order.total async for order in held_orders().aiterator()]


async def asynchronous_count() -> int:
    return await held_orders().acount()


READS: dict[str, tuple[Callable[[], Any], Any]] = {
    "list": (lambda: totals(held_orders()), TOTALS),
    "get": (lambda: held_orders().get(total=2).total, TOTALS[1]),
    "first": (lambda: held_orders().first().total, TOTALS[0]),
    "count": (lambda: held_orders().count(), 3),
    "exists": (lambda: held_orders().exists(), True),
    "aggregate": (lambda: held_orders().aggregate(Sum("total"))["total__sum"], sum(TOTALS)),
    "sliced aggregate": (lambda: held_orders()[:2].aggregate(Sum("total"))["total__sum"], 3),
    "values": (lambda: list(held_orders().values_list("total", flat=True)), TOTALS),
    "related": (lambda: {order.customer.name for order in held_orders().select_related("customer")}, {"Ada"}),
    "annotated": (lambda: [row.n for row in held_orders().annotate(n=Count("invoices")).order_by("n")], [0, 0, 0]),
    "union": (lambda: totals(held_orders().union(held_orders()).order_by("-total")), TOTALS[::-1]),
    "raw": (lambda: totals(raw_orders()), TOTALS),
    "raw columns": (lambda: raw_orders().columns[0], "id"),
    "prefetch": (
        lambda: totals(Customer.objects.prefetch_related(Prefetch("orders", held_orders()))[0].orders.all()), TOTALS,
    ),
    "iterator": (lambda: totals(held_orders().iterator()), TOTALS),
    "short chunks": (lambda: totals(held_orders().iterator(chunk_size=1)), TOTALS),
    "async list": (async_to_sync(asynchronous), TOTALS),
    "async iterator": (async_to_sync(asynchronous_iterator), TOTALS),
    "async count": (async_to_sync(asynchronous_count), 3),
}  # fmt: skip


def reason() -> Reason:
    config = current_config()
    return decide(config, current_frame().unit, config.sets["shop"], "shop").reason


@pytest.mark.parametrize("way", READS)
def test_a_read_that_is_killed_is_repeated_and_the_master_is_read_to_the_end(shop: PostgresCluster, way: str) -> None:
    function, expected = READS[way]
    with lost_while_read(shop, kill_reader):
        assert function() == expected
    assert connections["shop-1"].connection is None or way.startswith("async"), "the thread's connection is closed"
    assert Order.objects.all().db == "shop"
    assert pindb.get_replica("shop") == "shop"
    assert reason() is Reason.REPLICA_FAILED
    assert pindb.get_pinned() == pindb.get_newly_pinned() == set()
    assert read() == "shop-1", "the next unit of work"


LOSSES: dict[str, Loss] = {
    "killed": kill_reader,
    "conflict": losses.conflict,
    "fast stop": losses.stop(signal.SIGINT),
    "immediate stop": losses.stop(signal.SIGQUIT),
}


@pytest.mark.parametrize("loss", ["fast stop", "immediate stop"])
def test_a_read_whose_server_is_stopped_is_repeated(clock: Clock, loss: str) -> None:
    with PostgresCluster(standbys=1) as cluster:
        cluster.create_database("shop")
        with installed(cluster):
            stock(cluster)
            with lost_while_read(cluster, LOSSES[loss]):
                assert totals(held_orders()) == TOTALS
            assert totals(held_orders().iterator()) == TOTALS
            assert read() == "shop"


@pytest.mark.parametrize("way", ["list", "count", "iterator", "raw", "prefetch", "async list"])
def test_a_read_that_is_cancelled_for_a_conflict_is_repeated_and_its_replica_is_not_doubted(
    shop: PostgresCluster, asked: Probes, way: str
) -> None:
    function, expected = READS[way]
    before = connections["shop-1"].connection
    with lost_while_read(shop, losses.conflict):
        assert function() == expected
    assert pindb.get_replica("shop") == "shop"
    assert connections["shop-1"].connection is before
    assert read() == "shop-1"
    assert asked.aliases == []


@pytest.mark.parametrize("way", ["list", "iterator", "raw"])
def test_a_read_whose_connection_is_cut_is_repeated(shop: PostgresCluster, way: str) -> None:
    function, expected = READS[way]
    settings = connections["shop-1"].settings_dict
    connections["shop-1"].close()
    balancer = Balancer(settings["PORT"])
    settings["PORT"] = balancer.port
    with lost_while_read(shop, lambda _: balancer.cut()):
        assert function() == expected
    assert pindb.get_replica("shop") == "shop"
    settings["PORT"] = shop.standbys[0].port
    balancer.close()


@pytest.mark.parametrize("way", READS)
def test_a_connection_that_was_killed_while_idle_costs_no_error(shop: PostgresCluster, way: str) -> None:
    function, expected = READS[way]
    losses.kill_idle(shop)
    assert function() == expected


@pytest.mark.parametrize("way", READS)
def test_a_connection_refused_in_the_middle_of_a_unit_of_work_costs_no_error(shop: PostgresCluster, way: str) -> None:
    function, expected = READS[way]
    connections["shop-1"].close()
    connections.settings["shop-1"]["PORT"] = connections["shop-1"].settings_dict["PORT"] = free_port()
    assert function() == expected
    assert read() == "shop"


def test_a_refused_connection_is_no_read_however_long_it_took(
    shop: PostgresCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pindb.routing.orm.repeated_reads.REPEATED_WITHIN", 0.0)
    connections["shop-1"].close()
    connections["shop-1"].settings_dict["PORT"] = free_port()
    assert totals(held_orders()) == TOTALS


def test_a_replica_that_has_become_a_master_and_so_refuses_costs_no_error(clock: Clock) -> None:
    with PostgresCluster(standbys=1) as cluster:
        cluster.create_database("shop")
        with installed(cluster):
            stock(cluster)
            cluster.standbys[0].promote()
            connections["shop-1"].close()
            connections["shop-1"].settings_dict["OPTIONS"] = {"target_session_attrs": "standby"}
            assert totals(held_orders()) == TOTALS
            assert read() == "shop"


def test_an_iterator_that_is_killed_before_its_first_row_is_repeated(shop: PostgresCluster) -> None:
    with connections["shop-1"].execute_wrapper(losses.killed_after):
        assert totals(Order.objects.order_by("pk").iterator()) == TOTALS
    assert pindb.get_replica("shop") == "shop"


def test_all_of_a_repeated_read_is_the_masters(shop: PostgresCluster) -> None:
    orders = Order.objects.order_by("pk")
    compiler = orders.query.get_compiler(using=orders.db)
    kill_connection()
    assert len(compiler.execute_sql()[0]) == 3
    assert compiler.using == "shop"
    assert type(compiler.using) is str
    assert compiler.connection is connections["shop"]


def test_where_the_master_fails_too_its_error_is_raised_and_the_replicas_is_its_context(shop: PostgresCluster) -> None:
    connections["shop"].close()
    connections["shop"].settings_dict["PORT"] = port = free_port()
    with pytest.raises(OperationalError, match=str(port)) as raised, lost_while_read(shop, kill_reader):
        list(held_orders())
    contexts, error = [], raised.value.__context__
    while error is not None:
        contexts.append(str(error))
        error = error.__context__
    assert any(re.search(KILLED, text) for text in contexts)
