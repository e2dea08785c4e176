"""The router's answers to reads on replicas, and what Django makes of them; relations are in tests/integration/rows."""

from __future__ import annotations

import pickle
import unittest
from typing import Any

import pytest
from django.db.models import Manager
from django.db.models.base import ModelState
from django.db.models.query import QuerySet, RawQuerySet
from django.db.utils import ConnectionHandler
from django.test import TestCase, override_settings

import pindb
from pindb.config.aliases import RoutedReplica
from pindb.routing.orm import row_aliases
from tests.shop.models import AuditEntry, Customer, Order
from tests.unit.routing.test_rules import REPLICAS, greedy

PATCHED = [(ModelState, "db"), (QuerySet, "db"), (QuerySet, "resolve_expression"), (RawQuerySet, "db"),
           (ConnectionHandler, "create_connection")]  # fmt: skip


def patched() -> list[Any]:
    return [vars(owner)[name] for owner, name in PATCHED]


def row_of(alias: str) -> str:
    """Return the alias that a row has which was read from `alias`."""
    order = Order()
    order._state.db = alias
    return order._state.db


def test_the_same_answer_is_given_each_time() -> None:
    first, second = greedy.db_for_read(Order), greedy.db_for_read(Order)
    assert isinstance(first, RoutedReplica)
    assert first is second
    assert type(pindb.get_replica("default")) is str
    assert pickle.loads(pickle.dumps(first)) == first
    assert type(pickle.loads(pickle.dumps(first))) is str


def test_rows_belong_to_the_master_of_their_own_db_set() -> None:
    greedy.db_for_read(Order)
    assert row_of(greedy.db_for_read(AuditEntry)) == "audit"
    assert row_of(greedy.db_for_read(Order)) == "default"
    with pindb.unpinned_replica("audit"):
        assert row_of(greedy.db_for_read(AuditEntry)) == "audit"
    assert row_of("default-1") == "default-1"
    assert Order()._state.db is None


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_a_row_belongs_to_that_name_of_the_master_that_the_delegates_gave() -> None:
    databases = pindb.populate_replicas({"users": {}}, {"users": [{}]}, default="users")
    delegate = type("Delegate", (), {"db_for_read": lambda self, model, **hints: name})()
    with override_settings(
        MASTER_DATABASES={"users": {}}, DATABASE_SETS={"users": [{}]}, DATABASES=databases,
        PINDB_DELEGATE_ROUTERS=[delegate],
    ):  # fmt: skip
        for name in ("users", "default"):
            answer = greedy.db_for_read(Order)
            assert answer == "users-1"
            assert row_of(answer) == name


def test_a_row_that_was_read_from_a_replica_is_written_in_its_db_set() -> None:
    entry = AuditEntry()
    entry._state.db = greedy.db_for_read(AuditEntry)
    with override_settings(PINDB_DELEGATE_ROUTERS=[]):
        assert greedy.db_for_write(AuditEntry, instance=entry) == "audit"
        assert pindb.get_pinned() == {"audit"}


@pytest.mark.parametrize("router", ["pindb.GreedyPinDbRouter", "pindb.StrictPinDbRouter"])
def test_a_queryset_on_an_answer_is_routed_anew(router: str) -> None:
    with override_settings(DATABASE_ROUTERS=[router]):
        orders = Order.objects.using(greedy.db_for_read(Order))
        assert orders.db in REPLICAS
        assert Order.objects.using(orders.db).db == orders.db
        pindb.pin("default")
        assert orders.db == "default"
        assert orders.select_for_update().db == "default"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO shop_customer (name) VALUES ('Ada') RETURNING *",
        "WITH x AS (INSERT INTO shop_customer (name) VALUES ('Ada') RETURNING *) SELECT * FROM x",
    ],
)
def test_a_raw_query_that_writes_goes_to_the_master(statement: str) -> None:
    assert Customer.objects.raw("SELECT * FROM shop_customer WHERE name = 'insert'").db in REPLICAS
    with override_settings(DATABASE_ROUTERS=["pindb.StrictPinDbRouter"]), pytest.raises(pindb.UnpinnedWriteException):
        Customer.objects.raw(statement)
    query = Customer.objects.raw(statement)
    assert (query.db, query.query.using) == ("default", "default")
    assert pindb.get_pinned() == {"default"}


def test_under_a_router_that_wraps_ours_a_queryset_on_an_answer_uses_the_master() -> None:
    class Wrapper:
        db_for_read = staticmethod(greedy.db_for_read)

    with override_settings(DATABASE_ROUTERS=[Wrapper()]):
        orders = Order.objects.using(Order.objects.all().db)
        assert orders.db == orders.select_for_update().db == "default"


def test_django_is_changed_once_by_a_router_and_can_be_put_back() -> None:
    pindb.GreedyPinDbRouter()
    before = patched()
    pindb.StrictPinDbRouter()
    assert patched() == before
    row_aliases.uninstall()
    try:
        originals = patched()
        assert not {id(value) for value in originals} & {id(value) for value in before}
        row_aliases.uninstall()
        with override_settings(PINDB_ROWS_BELONG_TO_MASTER=False, PINDB_RETRY_ON_MASTER=False):
            pindb.GreedyPinDbRouter()
            assert patched() == originals
            assert type(greedy.db_for_read(Order)) is str
    finally:
        pindb.GreedyPinDbRouter()
    assert row_of(greedy.db_for_read(Order)) == "default"


def test_managers_get_no_method_that_django_keeps_from_them() -> None:
    assert not hasattr(Manager.from_queryset(QuerySet)(), "resolve_expression")


def test_a_test_case_reads_what_it_has_written_in_asynchronous_tests_too(shop_tables: None) -> None:
    """Its transaction is open in the thread where queries run, and not in that of the event loop."""

    class Asynchronous(TestCase):
        databases = {"default"}  # noqa: RUF012 - as Django documents it

        @classmethod
        def setUpTestData(cls) -> None:
            Customer.objects.create(name="Ada")

        async def test(self) -> None:
            pindb.unpin_all()
            rows = Customer.objects.raw("SELECT * FROM shop_customer")
            assert [customer.name async for customer in rows] == ["Ada"]
            assert [customer.name async for customer in Customer.objects.all()] == ["Ada"]
            assert [customer.name async for customer in Customer.objects.all().aiterator()] == ["Ada"]
            assert (await Customer.objects.aget()).name == "Ada"

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Asynchronous).run(result)
    assert result.testsRun == 1
    assert result.wasSuccessful(), result.failures + result.errors
