"""The recorder of the journeys: hand-made units of work on the shop, whose replicas never catch up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import override_settings

import pindb
from tests.journeys.recorder import Recorder
from tests.journeys.records import SESSIONS, Read, Unit
from tests.journeys.store.recording import note_question
from tests.shop.models import AuditEntry, Customer, Order

SETS = {"default": ["default-1", "default-2"], "audit": ["audit-1"]}
REPLICAS = {"default-1", "default-2"}


@dataclass
class Servers:
    """Servers that answer as a test wants it."""

    same: set[str] = field(default_factory=set)
    """The aliases whose rows are those that were read."""
    replayed: int = 0
    log: int = 7

    def position(self, master: str) -> int:
        return self.log

    def has_replayed(self, replica: str, position: int) -> bool:
        return position <= self.replayed

    def same_rows(self, alias: str, sql: str, params: Any, context: Mapping[str, Any]) -> bool:
        return alias in self.same


@pytest.fixture
def servers() -> Servers:
    return Servers()


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def recorder(shop_tables: None, servers: Servers, lines: list[str]) -> Iterator[Recorder]:
    recorder = Recorder(SETS, servers, lines.append)
    with ExitStack() as stack:
        for alias in recorder.owners:
            stack.enter_context(connections[alias].execute_wrapper(recorder))
        yield recorder


def unit_of_work(**needs: int) -> Unit:
    return Unit("shopper", "hand-made", needs)


def facts(read: Read) -> tuple[Any, ...]:
    where = "replica" if read.on_replica else "master"
    return (read.table, where, read.in_transaction, read.after_write)


def test_it_records_where_each_read_ran_in_which_transaction_and_whether_a_write_came_before(
    recorder: Recorder,
) -> None:
    with recorder.recording(unit_of_work()) as unit:
        Customer.objects.count()
        with transaction.atomic():
            Customer.objects.count()
        with pindb.master("default"):
            Order.objects.count()
        AuditEntry.objects.create(order_id=1, event="placed")
        Customer.objects.count()
        Customer.objects.create(name="ada")
        Customer.objects.count()
    assert [facts(read) for read in unit.reads] == [
        ("shop_customer", "replica", False, False),
        ("shop_customer", "master", True, False),
        ("shop_order", "master", False, False),
        ("shop_customer", "replica", False, False),
        ("shop_customer", "master", False, True),
    ]
    assert unit.written == {"default", "audit"}


@override_settings(
    PINDB_DELEGATE_ROUTERS=["tests.journeys.store.routers.QuestionsRouter", "tests.shop.routers.AuditRouter"]
)
def test_it_records_which_reads_follow_a_question_where_to_write_to_the_same_place(recorder: Recorder) -> None:
    ada = Customer(name="ada", pk=1)
    with recorder.recording(unit_of_work()) as unit, pindb.pinning_context():
        Customer.objects.count()
        Order(customer=ada)
        Customer.objects.count()
        AuditEntry.objects.count()
        AuditEntry(order_id=1)
        AuditEntry.objects.count()
        AuditEntry.objects.update(event="read")
        AuditEntry.objects.count()
    found = [(read.table, read.on_replica, read.after_question) for read in unit.reads]
    assert found == [
        ("shop_customer", True, False),
        ("shop_customer", False, True),
        ("shop_auditentry", True, False),
        ("shop_auditentry", True, False),
        ("shop_auditentry", False, True),
    ]


def test_what_runs_outside_units_of_work_is_not_recorded(recorder: Recorder, lines: list[str]) -> None:
    Customer.objects.count()
    assert lines == []


def test_a_read_on_the_master_is_the_same_only_if_every_replica_says_so(recorder: Recorder, servers: Servers) -> None:
    with recorder.recording(unit_of_work()) as unit, pindb.master("default"):
        for servers.same in ({"default-1"}, REPLICAS):
            Customer.objects.count()
    assert [read.same for read in unit.reads] == [False, True]
    assert not any(read.stale for read in unit.reads)


@pytest.mark.parametrize(
    ("needed", "replayed", "same", "stale"),
    [(5, 4, set(), True), (5, 4, {"default"}, False), (5, 5, set(), False), (0, 0, set(), False)],
)
def test_a_read_on_a_replica_is_stale_if_that_is_behind_the_chain_and_the_master_says_something_else(
    needed: int, replayed: int, same: set[str], stale: bool, *, recorder: Recorder, servers: Servers
) -> None:
    servers.replayed, servers.same = replayed, same
    with recorder.recording(unit_of_work(default=needed)) as unit:
        Customer.objects.count()
    assert [(read.on_replica, read.stale, read.same) for read in unit.reads] == [(True, stale, None)]


def test_a_unit_of_work_that_reads_a_replica_after_its_own_write_is_stale(recorder: Recorder) -> None:
    with recorder.recording(unit_of_work()) as unit:
        Customer.objects.create(name="ada")
        with pindb.unpinned_replica("default"):
            Customer.objects.count()
    assert [read.stale for read in unit.reads] == [True]


def test_the_next_unit_of_work_needs_what_this_one_and_its_chain_wrote(recorder: Recorder) -> None:
    unit = unit_of_work(audit=9, **{SESSIONS: 3})
    recorder.begin(unit)
    Customer.objects.create(name="ada")
    assert recorder.end() == {"default": 7, "audit": 9, SESSIONS: 3}
    assert unit.needs == {"audit": 9, SESSIONS: 3}


def test_a_record_is_a_line_that_can_be_read_back(recorder: Recorder, lines: list[str]) -> None:
    with recorder.recording(unit_of_work(default=1)) as unit:
        note_question("shop_customer", "default")
        Customer.objects.create(name="ada")
        Customer.objects.count()
    assert [Unit.from_json(line) for line in lines] == [unit]
    assert "\n" not in lines[0]
