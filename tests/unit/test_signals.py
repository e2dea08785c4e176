"""`work_finished`: each unit of work tells once how it has read, counted by reason, whatever ends it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import close_old_connections, connections, transaction
from django.test import override_settings

import pindb
from pindb import Reason, events, propagation
from pindb.config.database_sets import live
from pindb.core.frames import current_frame
from pindb.core.pins import PinSet
from pindb.monitoring.summary import Outcome, WorkSummary
from pindb.routing.decision import observe, stop_observing
from pindb.signals import work_finished
from tests.shop.models import AuditEntry, Invoice, Order
from tests.unit.routing.test_rules import REPLICAS, greedy


@pytest.fixture
def finished() -> Iterator[list[WorkSummary]]:
    summaries: list[WorkSummary] = []

    def receiver(summary: WorkSummary, **_: Any) -> None:
        summaries.append(summary)

    work_finished.connect(receiver)
    yield summaries
    work_finished.disconnect(receiver)
    assert not events.observers
    assert live.cached is live.config


def read(model: Any = Order) -> str:
    return greedy.db_for_read(model)


def counted(summary: WorkSummary) -> dict[Reason, int]:
    return {read.reason: read.count for read in summary.reads}


def test_reads_are_counted_by_reason(finished: list[WorkSummary]) -> None:
    with pindb.pinning_context():
        assert {read(), read(), read()} <= REPLICAS
        with transaction.atomic("default"):
            assert read() == "default"
            with pindb.unpinned_replica("default"):
                assert {read(), read()} <= REPLICAS
            assert read() == "default"
        assert read() in REPLICAS
        with pindb.master("default"):
            assert read() == "default"
        pindb.pin("default")
        with transaction.atomic("default"):
            assert {read(), read()} == {"default"}
        assert {read(), read(), read()} == {"default"}
    (summary,) = finished
    assert counted(summary) == {
        Reason.REPLICA: 4,
        Reason.OPEN_TRANSACTION: 4,
        Reason.REPLICA_OVERRIDE: 2,
        Reason.MASTER_OVERRIDE: 1,
        Reason.PINNED_BY_HAND: 3,
    }
    assert summary.reason is Reason.OPEN_TRANSACTION
    assert (summary.reads_of("replica"), summary.reads_of("master")) == (6, 8)


def test_a_transaction_that_comes_before_the_first_read_is_told_apart_as_well(finished: list[WorkSummary]) -> None:
    with pindb.pinning_context():
        for _ in range(2):
            with transaction.atomic("default"):
                read()
                read()
            read()
    assert counted(finished[0]) == {Reason.OPEN_TRANSACTION: 4, Reason.REPLICA: 2}


@override_settings(PINDB_READS_IN_ATOMIC="replica")
def test_where_transactions_do_not_matter_they_are_no_reason(finished: list[WorkSummary]) -> None:
    with pindb.pinning_context(), transaction.atomic("default"):
        assert {read(), read()} <= REPLICAS
    assert counted(finished[0]) == {Reason.REPLICA: 2}


@override_settings(PINDB_MODE="shadow")
def test_shadow_mode_counts_what_would_have_happened(finished: list[WorkSummary]) -> None:
    with pindb.pinning_context():
        assert {read(), read()} == {"default"}
        with transaction.atomic("default"):
            read()
        pindb.pin("default")
        read()
        read()
    assert counted(finished[0]) == {Reason.REPLICA: 2, Reason.OPEN_TRANSACTION: 1, Reason.PINNED_BY_HAND: 2}
    assert all(read.is_shadow for read in finished[0].reads)


def test_db_sets_and_unmanaged_aliases_are_counted_apart(finished: list[WorkSummary]) -> None:
    legacy = Order()
    legacy._state.db = "legacy"
    with pindb.pinning_context():
        read()
        read(AuditEntry)
        assert greedy.db_for_read(Order, instance=legacy) == "legacy"
    assert [(read.db_set, read.role) for read in finished[0].reads] == [
        ("default", "replica"),
        ("audit", "replica"),
        (None, "unmanaged"),
    ]
    assert finished[0].reads_of("replica") == 2


@pytest.mark.parametrize(
    ("inherited", "does", "outcome"),
    [
        ({}, lambda: None, Outcome.NO_READS),
        ({}, read, Outcome.ALL_ON_REPLICA),
        ({"default": 4e9}, read, Outcome.PINNED_FROM_START),
        ({}, lambda: (read(), pindb.pin("default"), read()), Outcome.PINNED_ON_THE_WAY),
        ({}, lambda: pindb.pin("default"), Outcome.PINNED_ON_THE_WAY),
        ({}, pindb.master("default")(read), Outcome.ON_MASTER),
    ],
)
def test_a_unit_of_work_has_one_outcome(
    inherited: dict[str, float], does: Any, outcome: Outcome, finished: list[WorkSummary]
) -> None:
    with pindb.pinning_context():
        unit = current_frame().unit
        unit.inherited = PinSet(inherited)
        unit.held_pins.update(inherited)
        does()
    assert [summary.outcome for summary in finished] == [outcome]


def test_a_task_tells_its_kind_once(finished: list[WorkSummary]) -> None:
    work = propagation.open_message(propagation.NOTHING_PINNED)
    work.name = "shop.charge"
    read()
    work.close()
    work.close()
    assert [(summary.kind, summary.name) for summary in finished] == [("task", "shop.charge")]


def test_an_eager_task_is_a_task_inside_its_callers_unit_of_work(finished: list[WorkSummary]) -> None:
    with pindb.pinning_context():
        read()
        with propagation.open_eager():
            read()
    assert [(summary.kind, summary.reads_of("replica")) for summary in finished] == [("task", 1), ("other", 1)]


def test_an_implicit_unit_of_work_tells_when_it_ends(finished: list[WorkSummary]) -> None:
    def job() -> None:
        read()
        current_frame().unit.ends_at = 0  # type: ignore[attr-defined]
        read()
        connections["default"]
        close_old_connections()
        read()
        connections.close_all()

    thread = threading.Thread(target=job)
    thread.start()
    thread.join()
    assert [(summary.kind, summary.reads_of("replica")) for summary in finished] == [("other", 1)] * 3


def test_a_receiver_may_query_itself(finished: list[WorkSummary]) -> None:
    def querying(**_: Any) -> None:
        read()

    def job() -> None:
        read()
        current_frame().unit.ends_at = 0  # type: ignore[attr-defined]
        read()

    work_finished.connect(querying)
    try:
        thread = threading.Thread(target=job)
        thread.start()
        thread.join()
    finally:
        work_finished.disconnect(querying)
    assert len(finished) == 1


def test_without_receivers_nothing_is_counted() -> None:
    with pindb.pinning_context():
        read()
        assert current_frame().unit.reads is None


def test_a_receiver_that_raises_changes_nothing(finished: list[WorkSummary], caplog: pytest.LogCaptureFixture) -> None:
    def broken(**_: Any) -> None:
        raise ZeroDivisionError

    work_finished.connect(broken)
    try:
        with pindb.pinning_context():
            assert read() in REPLICAS
    finally:
        work_finished.disconnect(broken)
    assert len(finished) == 1


class Broken(events.Observer):
    def unit_ended(self, *_: Any) -> None:
        raise ZeroDivisionError


def test_an_observer_that_raises_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    broken = Broken()
    observe(broken)
    try:
        with caplog.at_level(logging.ERROR, "pindb"):
            for _ in range(3):
                with pindb.pinning_context():
                    assert read() in REPLICAS
    finally:
        stop_observing(broken)
    assert [record.getMessage().endswith("failed. This is logged once.") for record in caplog.records] == [True]


def test_explain_and_counting_go_together(finished: list[WorkSummary]) -> None:
    with pindb.pinning_context():
        read()
        with pindb.explain() as decisions:
            read()
            read(Invoice)
        read()
    assert [decision.reason for decision in decisions[:1]] == [Reason.REPLICA]
    assert counted(finished[0])[Reason.REPLICA] >= 3
