"""Where queries go: the order of the rules, for both routers, through Django's own `ConnectionRouter`."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.utils import ConnectionRouter
from django.test import override_settings

import pindb
from pindb import UnpinnedWriteException
from tests.shop.models import AuditEntry, Customer, Order

greedy = ConnectionRouter(["pindb.GreedyPinDbRouter"])
strict = ConnectionRouter(["pindb.StrictPinDbRouter"])
both = pytest.mark.parametrize("router", [pytest.param(greedy, id="greedy"), pytest.param(strict, id="strict")])

REPLICAS = {"default-1", "default-2"}


@both
def test_an_unpinned_context_reads_one_replica_and_keeps_it(router: ConnectionRouter) -> None:
    chosen = router.db_for_read(Order)
    assert chosen in REPLICAS
    assert {router.db_for_read(Order) for _ in range(10)} == {chosen} == {pindb.get_replica("default")}


def test_replicas_are_taken_round_robin_by_contexts() -> None:
    seen: Counter[str] = Counter()
    for _ in range(10):
        with pindb.pinning_context():
            seen[greedy.db_for_read(Order)] += 1
    assert seen == {"default-1": 5, "default-2": 5}


def test_a_greedy_write_uses_the_master_and_pins() -> None:
    greedy.db_for_read(Order)
    assert greedy.db_for_write(Order) == "default"
    assert greedy.db_for_read(Order) == "default"
    assert pindb.get_pinned() == {"default"}
    assert pindb.get_newly_pinned() == set(), "nothing is written yet"
    assert greedy.db_for_read(AuditEntry) == "audit-1", "another DB set"


def test_a_strict_write_that_nothing_announced_is_refused_and_says_what_to_type() -> None:
    with pytest.raises(UnpinnedWriteException, match=r'write to \'default\'.*pindb\.pin\("default"\)') as raised:
        strict.db_for_write(Order)
    assert isinstance(raised.value, pindb.PinDbException)
    assert pindb.get_pinned() == set()


@pytest.mark.parametrize("count_as_new", [True, False])
def test_a_strict_write_after_a_pin_is_a_new_pin(count_as_new: bool, shop_tables: None) -> None:
    pindb.pin("default", count_as_new=count_as_new)
    assert strict.db_for_write(Order) == "default"
    assert pindb.get_newly_pinned() == ({"default"} if count_as_new else set())
    with override_settings(DATABASE_ROUTERS=["pindb.StrictPinDbRouter"]):
        Customer.objects.create(name="Ada")
    assert pindb.get_newly_pinned() == {"default"}


@both
def test_a_write_inside_master_pins_nothing(router: ConnectionRouter) -> None:
    with pindb.master("default"):
        assert router.db_for_write(Order) == "default"
    assert pindb.get_pinned() == set()
    assert router.db_for_read(Order) in REPLICAS


def test_a_write_inside_unpinned_replica_uses_the_master_and_pins() -> None:
    with pindb.unpinned_replica("default"):
        assert greedy.db_for_write(Order) == "default"
        assert greedy.db_for_read(Order) in REPLICAS
    assert greedy.db_for_read(Order) == "default"


def test_a_strict_write_inside_unpinned_replica_has_to_be_announced() -> None:
    with pindb.unpinned_replica("default"), pytest.raises(UnpinnedWriteException):
        strict.db_for_write(Order)


@both
def test_a_set_is_read_from_one_replica_then_from_the_master_and_never_back(router: ConnectionRouter) -> None:
    seen = [router.db_for_read(Order), pindb.get_replica("default")]
    pindb.pin("default")
    seen += [router.db_for_read(Order), router.db_for_read(Order)]
    assert seen[0] == seen[1]
    assert seen[2:] == ["default", "default"]
    with pindb.unpinned_replica("default"):
        assert router.db_for_read(Order) == seen[0], "the same replica as before the pin"


@both
@pytest.mark.parametrize("reads", ["master", "replica"])
def test_reads_in_a_transaction_on_the_master(router: ConnectionRouter, reads: str) -> None:
    with override_settings(PINDB_READS_IN_ATOMIC=reads):
        replica = router.db_for_read(Order)
        for _ in range(2):
            with transaction.atomic():
                inside = {router.db_for_read(Order) for _ in range(3)}
                with transaction.atomic(), pindb.unpinned_replica("default"):
                    assert router.db_for_read(Order) == replica
                assert router.db_for_read(AuditEntry) == "audit-1"
            assert inside == {"default" if reads == "master" else replica}
            assert router.db_for_read(Order) == replica
        pindb.pin("default")
        assert router.db_for_read(Order) == "default"


def test_a_transaction_on_a_replica_or_another_set_changes_nothing() -> None:
    replica = greedy.db_for_read(Order)
    with transaction.atomic(using="audit"), transaction.atomic(using="legacy"):
        assert greedy.db_for_read(Order) == replica


def test_a_read_that_begins_in_a_transaction_uses_the_master_for_its_extent_only() -> None:
    with transaction.atomic():
        assert greedy.db_for_read(Order) == "default"
    assert greedy.db_for_read(Order) in REPLICAS


def test_the_transaction_seen_is_that_of_the_running_unit_of_work() -> None:
    """More units of work than are remembered, each with a connection of its own under the same alias."""
    for number in range(200):
        with pindb.pinning_context():
            assert greedy.db_for_read(Order) in REPLICAS
            with transaction.atomic():
                assert greedy.db_for_read(Order) == "default"
        if number % 50 == 0:
            connections["default"].close()
            del connections["default"]


@both
def test_disabled_everything_uses_the_masters_and_nothing_pins(router: ConnectionRouter) -> None:
    pindb.pin("default")
    with override_settings(PINDB_ENABLED=False), pindb.unpinned_replica("audit"):
        assert router.db_for_write(Order) == "default"
        assert router.db_for_read(AuditEntry) == "audit"
        assert pindb.get_replica("audit") == "audit"
        pindb.pin("audit")
        assert pindb.get_pinned() == pindb.get_newly_pinned() == set()
        assert not pindb.is_pinned("default")
    assert pindb.get_pinned() == {"default"}


def test_a_set_without_replicas_is_read_from_its_master() -> None:
    with override_settings(DATABASE_SETS={"default": [], "audit": [{}]}):
        assert greedy.db_for_read(Order) == "default" == pindb.get_replica("default")
        with pindb.unpinned_replica("default"):
            assert greedy.db_for_read(Order) == "default"


def test_a_master_that_databases_lacks_is_left_to_django_to_complain_about() -> None:
    with override_settings(
        MASTER_DATABASES={"default": {}, "ghost": {}},
        DATABASE_SETS={"default": [], "ghost": [{}]},
        PINDB_DELEGATE_ROUTERS=[type("Ghost", (), {"db_for_read": lambda self, model, **hints: "ghost"})()],
    ):
        assert greedy.db_for_read(Order) == "ghost-1"


def test_queries_of_the_orm_follow_the_pins(shop_tables: None) -> None:
    """The replicas of these settings never replicate: what they have, they were given by hand."""
    assert not Order.objects.exists()
    order = Order.objects.create(customer=Customer.objects.create(name="Ada"), total=1)
    assert Order.objects.get(pk=order.pk)._state.db == "default"
    with pindb.pinning_context(), pytest.raises(Order.DoesNotExist):
        Order.objects.get(pk=order.pk)
    with pindb.pinning_context(), transaction.atomic():
        assert Order.objects.get(pk=order.pk)._state.db == "default"


def test_a_failed_write_leaves_the_pin(shop_tables: None) -> None:
    with pytest.raises(IntegrityError):
        Customer.objects.create(pk=1, name=None)
    assert pindb.is_pinned("default")
    assert pindb.get_newly_pinned() == set(), "but nothing was written"
