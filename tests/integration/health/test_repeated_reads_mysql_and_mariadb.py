"""Reads that a MySQL or MariaDB replica cannot finish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pymysql
import pytest

pymysql.version_info = (2, 2, 7, "final", 0)  # the API of mysqlclient that Django asks for
pymysql.install_as_MySQLdb()

from django.db import OperationalError, connections  # noqa: E402

import pindb  # noqa: E402
from tests.integration.health.losses import TOTALS, stock, totals  # noqa: E402
from tests.integration.health.shop import Clock, installed, read  # noqa: E402
from tests.integration.positions.balancers import Balancer  # noqa: E402
from tests.servers import free_port, wait_until  # noqa: E402
from tests.servers.mariadb import MariaDBCluster  # noqa: E402
from tests.servers.mysql import MySQLCluster  # noqa: E402
from tests.services import cluster_of  # noqa: E402
from tests.shop.models import Order  # noqa: E402

Cluster = MariaDBCluster | MySQLCluster

WAITS = "GET_LOCK('held', 60) = 1"


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def start(request: pytest.FixtureRequest) -> Callable[[], Cluster]:
    """Return what makes a cluster of this vendor, to be entered."""
    cluster_of(request.param)  # or the test is skipped
    return lambda: cluster_of(request.param, standbys=1)


@pytest.fixture(scope="module")
def cluster(start: Callable[[], Cluster]) -> Iterator[Cluster]:
    with start() as running:
        running.create_database("shop")
        running.wait_until_replayed()
        yield running


@pytest.fixture
def shop(cluster: Cluster, clock: Clock) -> Iterator[Cluster]:
    with installed(cluster, "shop"):
        stock(cluster)
        yield cluster


def held_orders() -> Any:
    return Order.objects.extra(where=[WAITS]).order_by("pk")


READS: dict[str, Callable[[], Any]] = {
    "list": lambda: totals(held_orders()),
    "iterator": lambda: totals(held_orders().iterator()),
    "raw": lambda: totals(Order.objects.raw(f"SELECT * FROM shop_order WHERE {WAITS} ORDER BY id")),
}


@contextmanager
def while_read(cluster: Cluster, loss: Callable[[Any, int], object]) -> Iterator[None]:
    """In this block a read waits on the replica for a lock, which somebody holds there, until `loss` has come."""
    (replica,) = cluster.standbys

    def lose() -> None:
        wait_until(lambda: replica.queries_in("User lock"), 20, "a read waits on the replica")
        loss(replica, replica.queries_in("User lock")[0])

    holder = pymysql.connect(host="127.0.0.1", port=replica.port, user="root", database="shop", autocommit=True)
    with closing(holder), ThreadPoolExecutor(1) as pool:
        holder.cursor().execute("SELECT GET_LOCK('held', 0)")
        lost = pool.submit(lose)
        yield
        lost.result()


@pytest.mark.parametrize("way", READS)
def test_a_read_that_is_killed_is_repeated(shop: Cluster, way: str) -> None:
    with while_read(shop, lambda replica, id_: replica.execute(f"KILL CONNECTION {id_}")):
        assert READS[way]() == TOTALS
    assert pindb.get_replica("shop") == "shop"
    assert pindb.get_pinned() == set()
    assert read() == "shop-1", "the next unit of work"


@pytest.mark.parametrize("way", READS)
def test_a_read_whose_connection_is_cut_is_repeated(shop: Cluster, way: str) -> None:
    connections["shop-1"].close()
    balancer = Balancer(shop.standbys[0].port)
    connections["shop-1"].settings_dict["PORT"] = balancer.port

    def cut(replica: Any, id_: int) -> None:
        balancer.cut()
        replica.execute(f"KILL CONNECTION {id_}")

    with while_read(shop, cut):
        assert READS[way]() == TOTALS
    assert pindb.get_replica("shop") == "shop"
    balancer.close()


@pytest.mark.parametrize("way", READS)
def test_a_connection_refused_in_the_middle_of_a_unit_of_work_costs_no_error(shop: Cluster, way: str) -> None:
    connections["shop-1"].close()
    connections["shop-1"].settings_dict["PORT"] = free_port()
    assert READS[way]() == TOTALS


def connections_of_the_shop(replica: Any) -> bool:
    return bool(replica.execute("SELECT id FROM information_schema.processlist WHERE user = 'shop'"))


def test_a_connection_that_the_server_has_ended_for_idleness_costs_no_error(shop: Cluster) -> None:
    assert totals(Order.objects.order_by("pk")) == TOTALS
    with connections["shop-1"].cursor() as cursor:
        cursor.execute("SET SESSION wait_timeout = 1")
    wait_until(lambda: not connections_of_the_shop(shop.standbys[0]), 20, "it is disconnected")
    assert totals(Order.objects.order_by("pk")) == TOTALS
    assert pindb.get_replica("shop") == "shop"


def test_a_server_that_goes_offline_in_the_middle_of_a_unit_of_work_costs_no_error(shop: Cluster) -> None:
    if isinstance(shop, MariaDBCluster):
        pytest.skip("MariaDB has no offline_mode")
    connections["shop-1"].close()
    shop.standbys[0].execute("SET GLOBAL offline_mode = 1")
    try:
        assert totals(Order.objects.order_by("pk")) == TOTALS
    finally:
        shop.standbys[0].execute("SET GLOBAL offline_mode = 0")
    assert pindb.get_replica("shop") == "shop"


def test_a_query_that_somebody_has_killed_is_not_repeated(shop: Cluster) -> None:
    with (
        pytest.raises(OperationalError, match="interrupted"),
        while_read(shop, lambda replica, id_: replica.execute(f"KILL QUERY {id_}")),
    ):
        list(held_orders())
    assert pindb.get_replica("shop") == "shop-1"


def test_a_read_whose_server_shuts_down_is_repeated(clock: Clock, start: Callable[[], Cluster]) -> None:
    with start() as cluster:
        cluster.create_database("shop")
        cluster.wait_until_replayed()
        with installed(cluster, "shop"):
            stock(cluster)
            with while_read(cluster, lambda replica, _: replica.execute("SHUTDOWN")):
                assert totals(held_orders()) == TOTALS
            cluster.standbys[0].process.wait(30)
            assert read() == "shop"
