"""A pin is announced when a router is asked where to write, and made when a statement has written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, connections
from django.test import override_settings

import pindb
from pindb import UnpinnedWriteException
from tests.shop.models import AuditEntry, Customer, Order
from tests.unit.routing.writes.writing import CustomerForm, many, published, reads_master

pytestmark = pytest.mark.usefixtures("shop_tables")


ASKS: dict[str, Callable[[Customer], object]] = {
    "a related object": lambda ada: Order(customer=ada),
    "full_clean": lambda ada: Customer(name="Bob").full_clean(),
    "a valid form": lambda ada: CustomerForm({"name": "Bob"}).is_valid(),
    "an invalid form": lambda ada: CustomerForm({"name": "Ada"}).is_valid(),
    "get_or_create that gets": lambda ada: Customer.objects.get_or_create(name="Ada"),
    "an update of no rows": lambda ada: Customer.objects.filter(pk=-1).update(name="Bob"),
    "no fields to save": lambda ada: ada.save(update_fields=[]),
    "a delete of none": lambda ada: Customer.objects.filter(pk=-1).delete(),
    "a lock": lambda ada: Customer.objects.select_for_update().first(),
}


@pytest.mark.parametrize("asks", ASKS.values(), ids=ASKS)
def test_what_asks_where_to_write_and_writes_nothing_reads_the_master_and_is_not_handed_on(
    ada: Customer, asks: Callable[[Customer], object], consistency: None
) -> None:
    asks(ada)
    assert pindb.get_pinned() == {"default"}
    assert reads_master()
    assert pindb.get_newly_pinned() == set()
    assert published() == set()


def raw(sql: str) -> Callable[[Customer], object]:
    def run(_: Customer) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)

    return run


def saves_using(ada: Customer) -> None:
    ada.name = "Bob"
    ada.save(using="default")


UNSEEN: dict[str, Callable[[Customer], object]] = {
    "a raw INSERT": raw("INSERT INTO shop_customer (name) VALUES ('Bob')"),
    "a raw UPDATE in lower case": raw("update shop_customer set name = 'Bob'"),
    "a raw DELETE behind a comment": raw("/* SELECT */ DELETE FROM shop_customer"),
    "a raw WITH": raw("WITH x AS (SELECT 1) UPDATE shop_customer SET name = 'Bob'"),
    "executemany": many,
    "using().create": lambda ada: Customer.objects.using("default").create(name="Bob"),
    "using().update": lambda ada: Customer.objects.using("default").filter(name="Ada").update(name="Bob"),
    "using().delete": lambda ada: Customer.objects.using("default").all().delete(),
    "save(using=)": saves_using,
    "DDL": raw("CREATE INDEX IF NOT EXISTS by_name ON shop_customer (name)"),
}


@pytest.mark.usefixtures("consistency")
@pytest.mark.parametrize("write", UNSEEN.values(), ids=UNSEEN)
def test_a_write_that_no_router_was_asked_about_pins(
    ada: Customer, write: Callable[[Customer], object], router: str
) -> None:
    assert not reads_master()
    write(ada)
    assert reads_master()
    assert pindb.get_newly_pinned() == {"default"} == published() == pindb.get_pinned()


@pytest.mark.usefixtures("consistency")
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM shop_customer",
        "select count(*) from shop_customer",
        "PRAGMA foreign_keys",
        "EXPLAIN QUERY PLAN DELETE FROM shop_customer",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "update shop_customer set name = 'Bob' where 0",
    ],
)
def test_a_raw_statement_that_writes_nothing_pins_nothing(ada: Customer, sql: str, router: str) -> None:
    raw(sql)(ada)
    list(Customer.objects.using("default"))
    assert pindb.get_pinned() == set()
    assert not reads_master()


WRITES: dict[str, Callable[[Customer], object]] = {
    "create": lambda ada: Customer.objects.create(name="Bob"),
    "save": lambda ada: ada.save(),
    "update": lambda ada: Customer.objects.update(name="Bob"),
    "delete": lambda ada: ada.delete(),
    "bulk_create": lambda ada: Customer.objects.bulk_create([Customer(name="Bob")]),
    "get_or_create": lambda ada: Customer.objects.get_or_create(name="Bob"),
    "acreate": lambda ada: asyncio.run(Customer.objects.acreate(name="Bob")),
}


@pytest.mark.usefixtures("consistency")
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_of_the_orm_is_handed_on(ada: Customer, write: Callable[[Customer], object], debug: bool) -> None:
    with override_settings(DEBUG=debug):
        write(ada)
    assert pindb.get_newly_pinned() == {"default"} == published()


def test_strict_mode_refuses_what_nobody_announced_and_hands_on_what_was_written(router: str) -> None:
    if router == "StrictPinDbRouter":
        with pytest.raises(UnpinnedWriteException):
            Customer.objects.create(name="Ada")
        pindb.pin("default", count_as_new=False)
    Order(customer=Customer(name="Bob"))
    assert pindb.get_newly_pinned() == set() == published()
    Customer.objects.create(name="Ada")
    assert pindb.get_newly_pinned() == {"default"} == published()


def test_a_pin_by_hand_is_handed_on_at_once() -> None:
    pindb.pin("default")
    assert pindb.get_newly_pinned() == {"default"} == published()


def test_inside_master_no_write_pins(ada: Customer, router: str) -> None:
    with pindb.master("default"):
        Customer.objects.create(name="Dan")
        many(ada)
    assert pindb.get_pinned() == set() == published()
    assert not reads_master()


def test_inside_unpinned_replica_a_raw_write_pins(ada: Customer) -> None:
    with pindb.unpinned_replica("default"):
        many(ada)
        assert not reads_master()
    assert reads_master()
    assert pindb.get_newly_pinned() == {"default"}


def test_a_write_to_an_unmanaged_alias_pins_nothing() -> None:
    with connections["legacy"].cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS untouched (id int)")
    assert connections["legacy"].execute_wrappers == []
    assert pindb.get_pinned() == set() == published()


@override_settings(PINDB_ENABLED=False)
def test_disabled_nothing_is_noted(ada: Customer) -> None:
    many(ada)
    with override_settings(PINDB_ENABLED=True):
        assert pindb.get_pinned() == set()


def test_each_db_set_has_its_own_pin() -> None:
    AuditEntry.objects.using("audit").create(order_id=1, event="paid")
    assert pindb.get_newly_pinned() == {"audit"} == published()


@pytest.fixture
def second_name(shop_tables: None) -> Iterator[None]:
    """The master's database as "users", with "default" as its second name."""
    database = connections.settings["default"]
    masters, sets = {"users": {key: database[key] for key in ("ENGINE", "NAME")}}, {"users": [{}]}
    databases = pindb.populate_replicas(masters, sets, default="users")
    added = connections.configure_settings({**connections.settings, **databases})
    connections.settings.update({alias: added[alias] for alias in ("users", "users-1")})
    try:
        with override_settings(
            MASTER_DATABASES=masters, DATABASE_SETS=sets, DATABASES=databases, PINDB_DELEGATE_ROUTERS=[]
        ):
            yield
    finally:
        for alias in ("users", "users-1"):
            connections[alias].close()
            del connections[alias], connections.settings[alias]


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.usefixtures("second_name")
@pytest.mark.parametrize("alias", ["default", "users"])
def test_a_write_over_the_second_name_of_a_master_pins_the_same_set(alias: str) -> None:
    assert pindb.GreedyPinDbRouter().db_for_read(Order) == "users-1"
    with connections[alias].cursor() as cursor:
        cursor.execute("DELETE FROM shop_order")
    assert pindb.get_newly_pinned() == {"users"} == published()
    assert reads_master()


def test_a_statement_that_failed_for_certain_is_not_handed_on(ada: Customer) -> None:
    with pytest.raises(IntegrityError):
        raw("INSERT INTO shop_customer (name) VALUES ('Ada')")(ada)
    assert pindb.get_pinned() == set()
    with pytest.raises(OperationalError):
        raw("INSERT INTO no_such_table VALUES (1)")(ada)
    assert pindb.get_newly_pinned() == {"default"}, "nobody knows how far it went"


def test_an_executemany_that_failed_may_have_written_its_first_rows(ada: Customer) -> None:
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.executemany("INSERT INTO shop_customer (name) VALUES (%s)", [["Bob"], ["Ada"]])
    assert pindb.get_newly_pinned() == {"default"}


def test_what_ends_a_task_while_a_statement_runs_leaves_the_pin(ada: Customer) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), connection.execute_wrapper(interrupt):
        raw("DELETE FROM shop_customer")(ada)
    assert pindb.get_newly_pinned() == {"default"}
