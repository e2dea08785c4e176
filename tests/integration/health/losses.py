"""Reads that wait on a standby, and what becomes of the standby meanwhile.

A read waits for an advisory lock that somebody holds on the standby, and nobody on the master.
"""

from __future__ import annotations

import contextlib
import decimal
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from django.db import connections
from django.db.models import QuerySet

import pindb
from tests.integration.health.shop import read
from tests.servers import PostgresCluster, PostgresServer, wait_until
from tests.shop.models import Customer, Order

WAITS = "(pg_advisory_lock_shared(7))::text = ''"

KILLED = "terminating connection|server closed the connection"
"""psycopg 3 and psycopg2."""

TOTALS = [decimal.Decimal(total) for total in (1, 2, 3)]

Loss = Callable[[PostgresCluster], object]


def stock(cluster: PostgresCluster) -> None:
    with pindb.pinning_context(), pindb.master("shop"):
        Customer.objects.all().delete()
        customer = Customer.objects.create(name="Ada")
        Order.objects.bulk_create(Order(customer=customer, total=total) for total in TOTALS)
    cluster.wait_until_replayed()
    assert read() == "shop-1"
    assert Order.objects.count() == 3
    assert pindb.get_replica("shop") == "shop-1"


def totals(orders: Any) -> list[decimal.Decimal]:
    return [order.total for order in orders]


def raw_orders() -> Any:
    return Order.objects.raw(f"SELECT * FROM shop_order WHERE {WAITS} ORDER BY id")


def held_orders() -> QuerySet[Order]:
    """Return all orders, as soon as the lock is free."""
    return Order.objects.extra(where=[WAITS]).order_by("pk")


def readers(server: PostgresServer) -> list[int]:
    """Return the processes that wait for the lock."""
    return [pid for (pid,) in server.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory'")]


@contextlib.contextmanager
def lost_while_read(cluster: PostgresCluster, loss: Loss) -> Iterator[None]:
    """In this block a read waits on the standby until `loss` has come."""
    (standby,) = cluster.standbys
    holder = psycopg.connect(host="127.0.0.1", port=standby.port, user="postgres", dbname="shop", autocommit=True)

    def lose() -> None:
        wait_until(lambda: bool(readers(standby)), 20, "a read waits on the standby")
        loss(cluster)

    with contextlib.closing(holder), ThreadPoolExecutor(1) as pool:
        holder.execute("SELECT pg_advisory_lock(7)")
        lost = pool.submit(lose)
        yield
        lost.result()


def kill_reader(cluster: PostgresCluster) -> None:
    for pid in readers(cluster.standbys[0]):
        cluster.standbys[0].execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def cancel_reader(cluster: PostgresCluster) -> None:
    for pid in readers(cluster.standbys[0]):
        cluster.standbys[0].execute("SELECT pg_cancel_backend(%s)", [pid])


def conflict(cluster: PostgresCluster) -> None:
    """Lock the table on the master: the standby has to do so, too, and cancels who reads it."""
    cluster.master.execute("BEGIN; LOCK TABLE shop_order IN ACCESS EXCLUSIVE MODE; COMMIT", database="shop")


def stop(number: signal.Signals) -> Loss:
    def stop_server(cluster: PostgresCluster) -> None:
        os.kill(cluster.standbys[0].process.pid, number)
        cluster.standbys[0].process.wait(20)

    return stop_server


def kill_idle(cluster: PostgresCluster) -> None:
    """End all sessions of the application on the standby."""
    cluster.standbys[0].execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'shop'")


def killed_after(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Execute wrapper: its connection is killed when the statement has run, and before its rows are fetched."""
    result = execute(sql, params, many, context)
    kill_connection()
    return result


def kill_connection() -> None:
    """Kill this thread's session on the standby."""
    settings = connections["shop-1"].settings_dict
    pid = connections["shop-1"].connection.info.backend_pid
    with psycopg.connect(
        host=settings["HOST"], port=settings["PORT"], user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
