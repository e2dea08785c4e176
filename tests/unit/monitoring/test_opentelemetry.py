"""Metrics and span attributes, read by the SDK's in-memory reader."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

import pindb
from pindb import propagation
from pindb.config.database_sets import current_config
from pindb.middleware import PinDbMiddleware
from pindb.monitoring.opentelemetry import COUNTERS, LAG, USABLE, WAIT, Metrics
from pindb.propagation import PublishGuard
from pindb.routing.decision import observe, stop_observing
from pindb.servers import health
from pindb.web import cookie
from tests.shop.models import Order
from tests.unit.routing.test_rules import greedy


class Reader:
    """`reader[name]` is what the metric says now: its value by its attributes."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.meter = MeterProvider(metric_readers=[self._reader]).get_meter("pindb")

    def metrics(self) -> dict[str, Any]:
        data: Any = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def __getitem__(self, name: str) -> dict[tuple[Any, ...], Any]:
        metric = self.metrics().get(name)
        points = metric.data.data_points if metric else []
        return {tuple(point.attributes.values()): getattr(point, "value", None) for point in points}


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    observer = Metrics(reader.meter)
    observe(observer)
    yield reader
    stop_observing(observer)


def read() -> str:
    return greedy.db_for_read(Order)


def test_reads_are_counted_by_db_set_role_and_reason(reader: Reader) -> None:
    for _ in range(2):
        with pindb.pinning_context():
            read()
            with transaction.atomic("default"):
                read()
            pindb.pin("default")
            read()
            read()
    assert reader["pindb.reads"] == {
        ("default", "replica", "replica", False): 2,
        ("default", "master", "open_transaction", False): 2,
        ("default", "master", "pinned_by_hand", False): 4,
    }


def test_units_of_work_are_counted_by_kind_and_outcome(reader: Reader) -> None:
    with pindb.pinning_context():
        read()
    with propagation.open_message(propagation.NOTHING_PINNED):
        read()
    assert reader["pindb.units_of_work"] == {("other", "all_on_replica"): 1, ("task", "all_on_replica"): 1}


def test_refused_carriers_are_counted(reader: Reader) -> None:
    propagation.open_message("garbage").close()
    propagation.open_message("9;default=1").close()
    request = RequestFactory().get("/")
    request.COOKIES["pindb_pinned_set"] = "forged:cookie"
    cookie.read(request, current_config())
    assert reader["pindb.carriers.refused"] == {
        ("message", "unreadable"): 1,
        ("message", "newer version"): 1,
        ("cookie", "forged"): 1,
    }


def test_publishes_inside_a_transaction_are_counted(reader: Reader) -> None:
    guard = PublishGuard("{}", "{}", frozenset(), pindb.PinDbException)
    with transaction.atomic("default"):
        guard.notice("shop.charge")
        connections["default"].cursor().execute("CREATE TABLE written_in_a_transaction (id int)")
        for _ in range(3):
            guard.notice("shop.charge")
        transaction.set_rollback(True, "default")
    assert reader["pindb.publishes.in_transaction"] == {("shop.charge",): 3}


def test_replicas_that_were_asked_are_gauges(reader: Reader) -> None:
    with pindb.pinning_context():
        replica = read()
    assert reader[USABLE]["default", replica] == 1
    health._replicas[replica].learn("it is 9.0 s behind", current_config().settings, 9.0)
    try:
        assert reader[USABLE]["default", replica] == 0
        assert reader[LAG] == {("default", replica): 9.0}
    finally:
        health.forget()


def test_each_metric_has_a_name_and_a_unit_by_opentelemetrys_rules(reader: Reader) -> None:
    with pindb.pinning_context():
        read()
    for name, metric in reader.metrics().items():
        assert name in {*COUNTERS, WAIT, USABLE, LAG}
        assert name == name.lower()
        assert metric.description
    assert all(unit.startswith("{") and unit.endswith("}") for unit, _ in COUNTERS.values())


def test_a_forked_child_counts_from_zero(reader: Reader) -> None:
    with pindb.pinning_context():
        read()
    pid = os.fork()
    if pid == 0:
        os._exit(len(reader["pindb.reads"]))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(reader["pindb.reads"]) == 1


@pytest.mark.parametrize("is_task", [False, True], ids=["request", "task"])
def test_the_current_span_says_where_reads_went(is_task: bool, reader: Reader) -> None:
    def work(_: HttpRequest | None = None) -> HttpResponse:
        read()
        pindb.pin("default")
        read()
        read()
        return HttpResponse()

    with TracerProvider().get_tracer("tests").start_as_current_span("work") as span:
        if is_task:
            with propagation.open_message(propagation.NOTHING_PINNED):
                work()
        else:
            PinDbMiddleware(work)(RequestFactory().get("/"))
        attributes: Any = span.attributes  # type: ignore[attr-defined]
        assert dict(attributes) == {
            "pindb.reads.replica": 1,
            "pindb.reads.master": 2,
            "pindb.master.reason": "pinned_by_hand",
        }


CHECKS = """
import sys
sys.modules["opentelemetry"] = None
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["pindb"], PINDB_OPENTELEMETRY=True)
django.setup()
"""


def test_without_opentelemetry_the_setting_is_refused_with_what_to_type() -> None:
    run = subprocess.run([sys.executable, "-c", CHECKS], capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert 'pip install "pindb[opentelemetry]"' in run.stderr
