"""The report: what a unit of work adds to the counts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

import pindb
from pindb import events, propagation
from pindb.core import codec
from pindb.core.pins import PinnedPosition, PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.monitoring import report
from pindb.monitoring.sinks import DirectorySink, Sink
from pindb.propagation.work import MessageWork
from pindb.routing.decision import ReadCount, Reason
from pindb.routing.writes import tracking
from tests.shop.models import AuditEntry, Order
from tests.unit.routing.test_rules import greedy

HERE = Path(__file__).name


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with override_settings(PINDB_REPORT=tmp_path):
        report.start()
        yield DirectorySink(str(tmp_path))
        report.stop()
    assert not events.observers


def read(model: Any = Order) -> str:
    return greedy.db_for_read(model)


def counted(sink: Sink) -> dict[tuple[str, ...], int]:
    """Return what this process has counted, after it has added it all to the sink."""
    report.stop()
    total = sink.read()
    return {} if total is None else {key: count for key, count in total.counts.items() if count}


def in_task(inherited: PinSet, name: str = "shop.charge") -> MessageWork:
    work = MessageWork(UnitOfWork(inherited, "message"))
    work.name = name
    return work


def test_reads_are_counted_by_view_and_task_role_and_reason(sink: Sink) -> None:
    with pindb.pinning_context():
        read()
        read()
        with transaction.atomic("default"):
            read()
    for _ in range(2):
        with in_task(PinSet({"default": 4e9})):
            read()
            read(AuditEntry)
    counts = counted(sink)
    assert counts["unit", "other", ""] == 1
    assert counts["read", "other", "", "replica", "replica"] == 2
    assert counts["read", "other", "", "master", "open transaction"] == 1
    assert counts["unit", "task", "shop.charge"] == 2
    assert counts["read", "task", "shop.charge", "master", "pinned by the caller"] == 2
    assert counts["read", "task", "shop.charge", "replica", "replica"] == 2
    assert ("shadow",) not in counts


@override_settings(PINDB_MODE="shadow", DATABASE_SETS={"default": [], "audit": []})
def test_shadow_mode_counts_what_would_happen_with_a_replica_that_there_is_not(sink: Sink) -> None:
    with pindb.pinning_context():
        assert {read(), read(), read()} == {"default"}
        pindb.pin("default")
        read()
    counts = counted(sink)
    assert counts["read", "other", "", "replica", "replica"] == 3
    assert counts["read", "other", "", "master", "pinned by hand"] == 1
    assert counts["shadow",] == 4


def test_reads_of_unmanaged_databases_do_not_count(sink: Sink) -> None:
    legacy = Order()
    legacy._state.db = "legacy"
    with pindb.pinning_context():
        greedy.db_for_read(Order, instance=legacy)
    assert counted(sink) == {("unit", "other", ""): 1}


def test_a_line_that_pins_counts_with_the_reads_after_it_and_whether_the_pin_is_handed_on(sink: Sink) -> None:
    for writes in (True, False):
        with pindb.pinning_context():
            read()
            if writes:
                pindb.pin("default")
            else:
                greedy.db_for_write(AuditEntry)
            read()
            read(AuditEntry)
    by_line = {key: count for key, count in counted(sink).items() if HERE in key[-1]}
    assert sorted(by_line.values()) == [1, 1, 1, 1, 1]
    (handed_on,) = (key[1] for key in by_line if key[0] == "handed on")
    (asked,) = {key[1] for key in by_line} - {handed_on}
    assert set(by_line) == {
        ("unit by line", handed_on),
        ("read by line", handed_on),
        ("handed on", handed_on),
        ("unit by line", asked),
        ("read by line", asked),
    }
    assert handed_on.startswith("tests/unit/monitoring/")


def test_the_line_is_looked_for_once_in_a_unit_of_work(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Counter[str]()

    def calling_line() -> str:
        looked["for"] += 1
        return "here"

    monkeypatch.setattr(tracking, "calling_line", calling_line)
    with pindb.pinning_context():
        for _ in range(3):
            greedy.db_for_write(Order)
            pindb.pin("default")
    assert looked["for"] == 1


@pytest.mark.parametrize(("age", "counted_as"), [(-3.0, "0"), (0.4, "0.3"), (4.0, "3"), (14.0, "10")])
def test_a_read_counts_by_the_age_of_its_callers_pin(age: float, counted_as: str, sink: Sink) -> None:
    with in_task(PinSet({"default": time.time() - age + 15})):
        read()
        read()
    assert counted(sink)["age", counted_as] == 2


def test_the_later_part_of_a_pin_tells_its_age(sink: Sink) -> None:
    """Of a pin with a position its expiry does."""
    now = time.time()
    settings = report.load_settings()
    expires_at = now + settings.position_seconds - 2
    unit = UnitOfWork(PinSet({"default": now + 1}, {"default": (PinnedPosition("log", 1, expires_at),)}))
    count = ReadCount("default", Reason.WAITING_FOR_POSITION, is_shadow=True)
    assert 2 <= report._age(unit, "default", count, settings) == count.first_at - now + 2
    assert report._age(unit, "audit", count, settings) == 0, "unknown: as young as can be"


def test_reads_after_a_write_of_the_same_unit_of_work_or_of_a_task_that_it_has_waited_for_are_youngest(
    sink: Sink,
) -> None:
    with pindb.pinning_context():
        pindb.pin("default")
        propagation.take({"given": "1", "new": codec.encode(PinSet({"audit": time.time() + 1}))})
        read()
        read(AuditEntry)
    counts = counted(sink)
    assert counts["age", "0"] == 2
    assert [HERE in key[1] for key in counts if key[0] == "unit by line"] == [True], "a result is no line"
