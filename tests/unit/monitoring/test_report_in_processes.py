"""The report: how a process brings to the sink what it has counted, whatever happens to the sink or the process."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

import pindb
from pindb import events
from pindb.core.pins import PinSet
from pindb.monitoring import report
from pindb.monitoring.sinks import CacheSink, Sink, Tally
from tests.servers import wait_until
from tests.unit.monitoring.test_report import counted, in_task, read, sink

__all__ = ["sink"]


def test_a_process_adds_its_counts_every_few_seconds(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "SECONDS", 0.01)
    for number in (1, 2):
        with pindb.pinning_context():
            read()
        wait_until(lambda: counted_so_far(sink) == number, 20, "the counts")  # noqa: B023 - it is over before


def counted_so_far(sink: Sink) -> int:
    total = sink.read()
    return 0 if total is None else total.counts["unit", "other", ""]


def test_a_unit_of_work_that_ends_while_its_thread_counts_another_one_neither_waits_nor_is_lost(sink: Sink) -> None:
    """The garbage collector closes a streamed response wherever it happens to run."""
    (mine,) = report._reports
    with mine._lock, pindb.pinning_context():
        read()
    with pindb.pinning_context():
        read()
    assert counted(sink)["unit", "other", ""] == 2


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


def test_nothing_is_logged_of_a_report_that_nobody_wants(caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(PINDB_PINNING_SECONDS="15"):
        report.start()
    assert caplog.records == []
