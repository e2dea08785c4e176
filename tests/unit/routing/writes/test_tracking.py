"""A pin is announced when a router is asked where to write, and made when a statement has written."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django import forms
from django.db import IntegrityError, OperationalError, connection, connections
from django.db.models.signals import pre_save
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

import pindb
from pindb import UnpinnedWriteException, propagation
from pindb.routing.writes.hooks import observe
from pindb.web.middleware import PinDbMiddleware
from tests.carriers import NOTHING_PINNED, pins_of, set_cookies
from tests.shop.models import AuditEntry, Customer, Order

pytestmark = pytest.mark.usefixtures("shop_tables")


@pytest.fixture(params=["GreedyPinDbRouter", "StrictPinDbRouter"])
def router(request: pytest.FixtureRequest) -> Iterator[str]:
    with override_settings(DATABASE_ROUTERS=[f"pindb.{request.param}"]):
        yield request.param


@pytest.fixture(params=["time", "position"])
def consistency(request: pytest.FixtureRequest) -> Iterator[None]:
    with override_settings(PINDB_CONSISTENCY=request.param):
        yield


@pytest.fixture
def ada() -> Customer:
    """A customer who was there before; her row is in the master alone."""
    with pindb.pinning_context():
        return Customer.objects.create(name="Ada")


def published() -> set[str]:
    """Return the DB sets that a message pins which is published now."""
    return set(pins_of(propagation.outgoing()))


def reads_master() -> bool:
    return pindb.GreedyPinDbRouter().db_for_read(Order) == "default"


class CustomerForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Customer
        fields = ("name",)


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


def many(_: Customer) -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO shop_customer (name) VALUES (%s)", [["Bob"], ["Cid"]])


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


# How a connection comes to be watched.


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


# Between the question where to write and the statement.


@pytest.mark.usefixtures("consistency")
@pytest.mark.parametrize("how", ["sync", "async", "thread"])
def test_a_message_published_in_pre_save_carries_the_pin(how: str) -> None:
    messages: list[set[str]] = []

    def receiver(**_: Any) -> None:
        if how == "thread":
            with ThreadPoolExecutor(1) as pool:
                messages.append(pool.submit(contextvars.copy_context().run, published).result())
        else:
            messages.append(published())

    async def areceiver(**_: Any) -> None:
        await asyncio.sleep(0)
        messages.append(published())
        messages.append(await sync_to_async(published)())

    connected = areceiver if how == "async" else receiver
    pre_save.connect(connected, sender=Customer)
    try:
        Customer.objects.create(name="Ada")
    finally:
        pre_save.disconnect(connected, sender=Customer)
    assert messages == [{"default"}] * (2 if how == "async" else 1)


def test_a_message_published_in_the_pre_save_of_an_eager_task_carries_the_pin() -> None:
    messages: list[set[str]] = []

    def receiver(**_: Any) -> None:
        with propagation.open_eager():
            messages.append(published())

    pre_save.connect(receiver, sender=Customer)
    try:
        Customer.objects.create(name="Ada")
    finally:
        pre_save.disconnect(receiver, sender=Customer)
    assert messages == [{"default"}]


# The cookie.


def cookies_of(view: Callable[[HttpRequest], HttpResponse]) -> list[Any]:
    return set_cookies(PinDbMiddleware(view)(RequestFactory().get("/")))


def test_a_request_that_only_asked_gets_no_cookie_and_one_that_wrote_does(ada: Customer) -> None:
    def asks(_: HttpRequest) -> HttpResponse:
        Order(customer=ada)
        CustomerForm({"name": "Bob"}).is_valid()
        return HttpResponse()

    def writes(_: HttpRequest) -> HttpResponse:
        many(ada)
        return HttpResponse()

    assert not cookies_of(asks)
    assert cookies_of(writes)


async def test_an_async_request_that_only_asked_gets_no_cookie_and_one_that_wrote_does() -> None:
    ada = await Customer.objects.acreate(name="Ada")

    async def asks(_: HttpRequest) -> HttpResponse:
        Order(customer=ada)
        await sync_to_async(CustomerForm({"name": "Bob"}).is_valid)()
        return HttpResponse()

    async def writes(_: HttpRequest) -> HttpResponse:
        await Customer.objects.acreate(name="Bob")
        return HttpResponse()

    for view, has_cookie in ((asks, False), (writes, True)):
        response: Any = await PinDbMiddleware(view)(RequestFactory().get("/"))  # type: ignore[misc]
        assert bool(set_cookies(response)) is has_cookie


def test_a_task_that_only_asked_hands_nothing_back_with_its_result(ada: Customer) -> None:
    with propagation.open_message(NOTHING_PINNED):
        Order(customer=ada)
        result = propagation.outcome()
    propagation.take(result)
    assert pindb.get_pinned() == set()
