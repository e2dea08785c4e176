"""The report: what a unit of work adds to the counts, and how a process brings them to the sink."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import override_settings

import pindb
from pindb import events, propagation
from pindb.core import codec
from pindb.core.pins import PinnedPosition, PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.monitoring import report
from pindb.monitoring.sinks import CacheSink, DirectorySink, Sink, Tally
from pindb.propagation.work import MessageWork
from pindb.routing.decision import ReadCount, Reason
from pindb.routing.writes import tracking
from tests.servers import wait_until
from tests.shop.models import AuditEntry, Order
from tests.unit.routing.test_rules import greedy

HERE = Path(__file__).name


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with override_settings(PINDB_REPORT=str(tmp_path)):
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


def test_a_process_adds_its_counts_every_few_seconds(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "SECONDS", 0.01)
    for number in (1, 2):
        with pindb.pinning_context():
            read()
        wait_until(lambda: counted_so_far(sink) == number, 20, "the counts")  # noqa: B023 - it is over before


def counted_so_far(sink: Sink) -> int:
    total = sink.read()
    return 0 if total is None else total.counts["unit", "other", ""]


def test_a_forked_child_adds_its_own_counts_and_none_of_its_parent(sink: Sink) -> None:
    with pindb.pinning_context():
        read()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(30)
            with in_task(PinSet()):
                read()
            (mine,) = report._reports
            mine.process_ends()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    total = sink.read()
    assert total is not None
    assert dict(total.counts) == {
        ("unit", "task", "shop.charge"): 1,
        ("read", "task", "shop.charge", "replica", "replica"): 1,
    }
    assert counted(sink)["unit", "other", ""] == 1


class Failing:
    """Fails so often, then notes what it is given."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.tries = 0
        self.added: list[Tally] = []

    def add(self, tally: Tally) -> None:
        self.tries += 1
        with pindb.pinning_context():  # as a cache in a database does
            read()
        if self.tries <= self.failures:
            raise OSError("No space left on device")
        self.added.append(tally)


def test_a_sink_that_fails_costs_one_log_line_and_no_count(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Failing(failures=3)
    monkeypatch.setattr(report, "SECONDS", 0.01)
    monkeypatch.setattr(report, "sink_from", lambda _: failing)
    with override_settings(PINDB_REPORT="a sink that fails"), caplog.at_level(logging.INFO, "pindb"):
        report.start()
        with pindb.pinning_context():
            read()
        wait_until(lambda: failing.tries > 1, 20, "two tries")
        with pindb.pinning_context():
            read()
        wait_until(lambda: sum(tally.counts["unit", "other", ""] for tally in failing.added) == 2, 20, "the counts")
        report.stop()
    failed, works_again = [record.getMessage() for record in caplog.records]
    assert failed.startswith("PINDB_REPORT cannot be written (OSError: No space left on device). This process keeps")
    assert works_again == "PINDB_REPORT can be written again."


def test_a_cache_in_a_database_behind_the_router_keeps_the_counts_and_counts_for_nothing(
    shop_tables: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "SECONDS", 0.01)
    cache = {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "report"}
    settings: dict[str, Any] = {"CACHES": {"default": cache}, "PINDB_DELEGATE_ROUTERS": []}
    with override_settings(**settings, PINDB_REPORT="cache:default"):
        call_command("createcachetable", "report", verbosity=0)
        sink = CacheSink("default")
        report.start()
        for number in (1, 2):
            with in_task(PinSet()):
                read()
            wait_until(lambda: tasks_in(sink) == number, 20, "the counts")  # noqa: B023 - it is over before
        report.stop()
        total = sink.read()
        assert total is not None
        assert {key[1] for key in total.counts if key[0] == "unit"} == {"task"}


def tasks_in(sink: Sink) -> int:
    with pindb.master("default"):
        total = sink.read()
    return 0 if total is None else total.counts["unit", "task", "shop.charge"]


def test_the_end_of_a_process_does_not_wait_for_a_sink_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    class Hanging(Failing):
        def add(self, tally: Tally) -> None:
            goes_on.wait()

    monkeypatch.setattr(report, "EXIT_SECONDS", 0.01)
    monkeypatch.setattr(report, "sink_from", lambda _: Hanging(0))
    with override_settings(PINDB_REPORT="a sink that hangs"):
        report.start()
        with pindb.pinning_context():
            read()
        report.stop()
    goes_on.set()


@override_settings(PINDB_REPORT=None)
def test_without_the_setting_nothing_observes() -> None:
    report.start()
    assert not events.observers


@override_settings(PINDB_REPORT="/tmp", PINDB_ENABLED=False)
def test_with_pindb_disabled_nothing_observes() -> None:
    report.start()
    assert not events.observers


def test_two_starts_count_once(sink: Sink) -> None:
    report.start()
    with pindb.pinning_context():
        read()
    assert counted(sink)["unit", "other", ""] == 1


@pytest.mark.parametrize("value", ["cache:dfault", 7])
def test_a_value_that_cannot_be_used_is_logged_with_its_remedy_and_stops_no_start(
    value: object, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(PINDB_REPORT=value):
        report.start()
    assert not events.observers
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "PINDB_REPORT is" in caplog.text
