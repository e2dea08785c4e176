"""Whose pin a write is: threads, nested units of work, and how a connection comes to be watched."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections

import pindb
from pindb.routing.writes.hooks import observe
from tests.shop.models import Customer
from tests.unit.routing.writes.writing import many, published

pytestmark = pytest.mark.usefixtures("shop_tables")


def test_a_thread_of_the_unit_of_work_pins_it(ada: Customer) -> None:
    def write() -> None:
        many(ada)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, write).result()
    assert pindb.get_newly_pinned() == {"default"} == published()


def test_a_thread_of_nobody_is_a_unit_of_work_of_its_own(ada: Customer) -> None:
    def write() -> frozenset[str]:
        many(ada)
        pinned = pindb.get_newly_pinned()
        connection.close()
        return pinned

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(write).result() == {"default"}
    assert pindb.get_newly_pinned() == set()


def test_a_thread_whose_unit_of_work_is_closed_does_no_harm(ada: Customer) -> None:
    closed = threading.Event()

    def write() -> set[str]:
        closed.wait(10)
        many(ada)
        connection.close()
        return published()

    with ThreadPoolExecutor(1) as pool:
        with pindb.pinning_context():
            done = pool.submit(contextvars.copy_context().run, write)
        closed.set()
        assert done.result() == {"default"}
    assert pindb.get_newly_pinned() == set()


def test_a_unit_of_work_inside_another_one_keeps_its_pins(ada: Customer) -> None:
    with pindb.pinning_context():
        many(ada)
        assert pindb.get_newly_pinned() == {"default"}
    assert pindb.get_newly_pinned() == set()


def test_a_connection_is_watched_once_and_first(ada: Customer) -> None:
    def other(execute: Any, *args: Any) -> Any:
        return execute(*args)

    connection.close()
    with connection.execute_wrapper(other):
        for _ in range(2):
            connection.ensure_connection()
            connection.close()
        assert connection.execute_wrappers == [observe, other]
    many(ada)
    assert pindb.get_newly_pinned() == {"default"}


def test_a_connection_that_was_opened_before_is_watched_once_a_router_is_asked(ada: Customer) -> None:
    connection.ensure_connection()
    connection.execute_wrappers = []
    Customer.objects.create(name="Bob")
    assert pindb.get_newly_pinned() == {"default"}


def test_a_replica_is_not_watched(ada: Customer) -> None:
    for alias in ("default-1", "default-2"):
        list(Customer.objects.using(alias))
        assert connections[alias].execute_wrappers == []
