"""Tables that are treated apart: those with separate pins, and those that are read and written on the master only."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.test import override_settings

import pindb
from pindb import propagation
from pindb.config.database_sets import current_config
from pindb.core.frames import current_frame
from pindb.core.open_writes import written_here
from pindb.routing.decision import Reason
from pindb.routing.rules import decide
from tests.carriers import carrying, pins_of
from tests.shop.models import AuditEntry, Customer, Invoice, Order
from tests.unit.routing.apart import PART, add_customer, published, reads_master
from tests.unit.routing.test_rules import REPLICAS, greedy

pytestmark = pytest.mark.usefixtures("shop_tables", "order", "apart")
strict = pindb.StrictPinDbRouter()


def raw(sql: str) -> Callable[[], None]:
    def run() -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)

    return run


def test_a_write_pins_its_own_part_and_nothing_else() -> None:
    add_customer()
    assert reads_master(Customer)
    assert not reads_master(Order)
    assert published() == {PART}
    assert pindb.is_pinned(PART)
    assert not pindb.is_pinned("default")
    assert pindb.get_pinned() == pindb.get_newly_pinned() == set(), "they list DB sets"


def test_a_write_to_another_table_does_not_pin_it() -> None:
    raw('UPDATE "shop_order" SET "status" = \'paid\'')()
    assert reads_master(Order)
    assert not reads_master(Customer)
    assert published() == {"default"}


def test_a_message_pins_its_own_part_and_nothing_else() -> None:
    with propagation.open_message(carrying(**{PART: 10})):
        assert reads_master(Customer)
        assert not reads_master(Order)
    with propagation.open_message(carrying(default=10)):
        assert not reads_master(Customer)
        assert reads_master(Order)


@pytest.mark.parametrize(
    "sql",
    [
        "update shop_customer set name = 'Bob'",
        '/* behind */ UPDATE "shop_customer" SET "name" = \'Bob\'',
        'UPDATE "main"."shop_customer" SET "name" = \'Bob\'',
        'UPDATE "SHOP_customer" SET "name" = \'Bob\'',
        "WITH x AS (SELECT 1) UPDATE shop_customer SET name = 'Bob'",
        "CREATE INDEX IF NOT EXISTS by_name ON shop_customer (name)",
    ],
)
def test_a_statement_that_does_not_tell_its_table_pins_every_part(sql: str) -> None:
    raw(sql)()
    assert reads_master(Customer)
    assert reads_master(Order)
    assert published() == {"default", PART}


def test_a_write_on_the_master_only_pins_nothing(order: Order) -> None:
    assert reads_master(Invoice)
    Invoice.objects.create(order_id=order.pk, total=1)
    Invoice.objects.update(total=2)
    Invoice.objects.all().delete()
    assert reads_master(Invoice)
    assert not reads_master(Order)
    assert published() == set()
    with transaction.atomic():
        Invoice.objects.create(order_id=order.pk, total=1)
        Invoice.objects.all().delete()
    assert published() == set()


def test_a_publish_notices_an_open_transaction_that_has_written_on_the_master_only(order: Order) -> None:
    with transaction.atomic():
        Invoice.objects.filter(pk=-1).update(total=2)
        assert written_here() == []
        Invoice.objects.create(order_id=order.pk, total=1)
        assert written_here() == ["default"]
        assert published() == set()
    assert written_here() == []
    assert published() == set()


def test_the_reason_for_the_master_is_told() -> None:
    config = current_config()
    part = config.by_key[config.keys["shop_invoice"]["default"]]
    decision = decide(config, current_frame().unit, part, part.name)
    assert (decision.alias, decision.reason) == ("default", Reason.MASTER_ONLY)


def test_a_table_on_the_master_only_is_read_there_inside_every_override() -> None:
    with pindb.unpinned_replica("default"):
        assert reads_master(Invoice)
        assert not reads_master(Customer)
        add_customer()
        assert not reads_master(Customer)
    assert reads_master(Customer)


def test_an_override_includes_the_parts() -> None:
    with pindb.master("default"):
        assert reads_master(Customer)
        add_customer()
    assert not reads_master(Customer)
    assert published() == set()
    with pindb.master(PART):
        assert reads_master(Customer)
        assert not reads_master(Order)


def test_the_strict_router_refuses_no_table_that_is_treated_apart() -> None:
    assert strict.db_for_write(Customer) == strict.db_for_write(Invoice) == "default"
    with pytest.raises(pindb.UnpinnedWriteException):
        strict.db_for_write(Order)


def test_a_part_can_be_pinned_by_its_name() -> None:
    pindb.pin(PART)
    assert reads_master(Customer)
    assert not reads_master(Order)
    assert published() == {PART}
    assert pindb.get_replica(PART) in REPLICAS
    pindb.unpin_all()
    assert not reads_master(Customer)
    with pytest.raises(pindb.PinDbConfigError, match=r"'default\.sop' is not a database alias"):
        pindb.pin("default.sop")


def test_a_pin_of_every_db_set_includes_the_parts() -> None:
    with propagation.open_message("unreadable"):
        assert reads_master(Customer)
        assert reads_master(Order)
        assert pindb.get_pinned() == {"default", "audit"}
    assert not reads_master(Customer)


def test_a_rollback_takes_back_the_pin_of_its_part_only() -> None:
    with transaction.atomic():
        raw('UPDATE "shop_order" SET "status" = \'paid\'')()
        with pytest.raises(KeyError), transaction.atomic():
            add_customer()
            assert published() == {"default", PART}
            raise KeyError
        assert published() == {"default"}
    assert published() == {"default"}
    assert reads_master(Customer), "its unit of work goes on reading the master"


def test_both_parts_are_written_in_one_transaction() -> None:
    with transaction.atomic():
        customer = Customer.objects.create(name="Ada")
        Order.objects.create(customer=customer, total=1)
        assert published() == {"default", PART}
    assert published() == {"default", PART}


def test_a_unit_of_work_reads_all_parts_from_one_replica() -> None:
    for model, other in ((Customer, Order), (Order, Customer)):
        with pindb.pinning_context():
            assert greedy.db_for_read(model) == greedy.db_for_read(other)


def test_rows_of_a_part_belong_to_the_master() -> None:
    row = Customer()
    row._state.db = greedy.db_for_read(Customer)
    assert row._state.db == "default"
    customers = Customer.objects.using(greedy.db_for_read(Customer))
    assert customers.db in REPLICAS
    pindb.pin(PART)
    assert customers.db == "default"
    assert customers.select_for_update().db == "default"


def test_another_db_set_is_left_alone() -> None:
    assert greedy.db_for_read(AuditEntry) == "audit-1"
    AuditEntry.objects.create(order_id=1, event="paid")
    assert published() == {"audit"}


def test_an_asked_router_announces_the_part() -> None:
    Customer(name="Ada").full_clean()
    assert not reads_master(Order)
    greedy.db_for_write(Customer)
    assert reads_master(Customer)
    assert not reads_master(Order)
    assert published() == set()


@override_settings(PINDB_DELEGATE_ROUTERS=[])
def test_what_has_no_table_is_routed_as_before() -> None:
    assert greedy.db_for_read(None) in REPLICAS  # type: ignore[arg-type]
    assert greedy.db_for_write(None) == "default"  # type: ignore[arg-type]


@override_settings(PINDB_PINNING_SECONDS=15)
def test_a_result_hands_the_part_to_its_taker() -> None:
    with propagation.open_message(propagation.NOTHING_PINNED):
        add_customer()
        outcome = propagation.outcome()
    propagation.take(outcome)
    assert reads_master(Customer)
    assert not reads_master(Order)
    assert pins_of(propagation.outgoing())[PART].until > time.time() + 10
