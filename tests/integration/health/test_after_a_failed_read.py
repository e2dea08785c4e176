"""After a replica did not finish a read: the unit of work uses the master, the replica is asked, the log has a line."""

from __future__ import annotations

import contextvars
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

import pindb
from pindb.config.database_sets import current_config
from pindb.routing.orm import row_aliases
from pindb.servers import health, probe
from tests.integration.health.losses import TOTALS, kill_connection, totals
from tests.integration.health.shop import Clock, Probes, read, timed
from tests.servers import PostgresCluster
from tests.shop.models import Order


@pytest.fixture
def shop(stocked: PostgresCluster) -> PostgresCluster:
    return stocked


def test_all_threads_of_the_unit_of_work_read_the_master(shop: PostgresCluster) -> None:
    with ThreadPoolExecutor(1) as pool:
        context = contextvars.copy_context()
        assert pool.submit(context.run, lambda: Order.objects.all().db).result() == "shop-1"
        kill_connection()
        list(Order.objects.all())
        assert pool.submit(context.run, lambda: Order.objects.all().db).result() == "shop"
        pool.submit(connections.close_all).result()


def test_a_lost_replica_is_left_inside_unpinned_replica_too(shop: PostgresCluster) -> None:
    with pindb.unpinned_replica("shop"):
        assert Order.objects.all().db == "shop-1"
        with pindb.pinning_context(), pindb.unpinned_replica("shop"):
            assert Order.objects.all().db == "shop-1", "another unit of work"
        kill_connection()
        assert Order.objects.count() == 3
        assert Order.objects.all().db == "shop"


def test_unpin_all_chooses_a_replica_again(shop: PostgresCluster) -> None:
    kill_connection()
    list(Order.objects.all())
    pindb.unpin_all()
    assert Order.objects.all().db == "shop-1"


def test_a_lost_replica_is_asked_before_anybody_else_reads_it(shop: PostgresCluster, asked: Probes) -> None:
    assert read() == "shop-1"
    assert asked.of("shop-1") == 0
    kill_connection()
    list(Order.objects.all())
    assert health._replicas["shop-1"].problem == health.UNKNOWN
    assert [read(), read()] == ["shop-1", "shop-1"]
    assert asked.of("shop-1") == 1


def test_a_probe_that_began_before_the_loss_says_nothing(
    shop: PostgresCluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (db_set,) = current_config().sets.values()
    ask = probe.ask

    def lost_meanwhile(*args: Any, **wanted: Any) -> Any:
        health.note_failed_read("shop-1", db_set, "it was killed", doubted=True)
        return ask(*args, **wanted)

    monkeypatch.setattr(probe, "ask", lost_meanwhile)
    clock.move(6)
    assert read() == "shop"
    monkeypatch.setattr(probe, "ask", ask)
    assert read() == "shop-1"


def test_the_log_has_one_warning_an_outage_and_at_its_end_the_count(
    shop: PostgresCluster, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pindb")

    def outage() -> None:
        for _ in range(3):
            with pindb.pinning_context():
                list(Order.objects.all())
                kill_connection()
                list(Order.objects.all())

    outage()
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "'shop-1' did not finish a read" in warning
    assert re.search("AdminShutdown: terminating|server closed", warning), "the driver's error"
    clock.move(5.1)
    assert read() == "shop-1"
    assert len(caplog.records) == 1, "it is not over so soon"
    clock.move(5.1)
    assert read() == "shop-1"
    assert "The replica 'shop-1' is well again. Reads that it did not finish: 3." in caplog.messages
    outage()
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 2


def test_outside_every_unit_of_work_the_master_is_read_as_well(shop: PostgresCluster) -> None:
    def job() -> tuple[int, str]:
        list(Order.objects.all())
        kill_connection()
        try:
            return Order.objects.count(), Order.objects.all().db
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(job).result() == (3, "shop")


def test_rows_that_do_not_belong_to_the_master_are_repeated_too(shop: PostgresCluster) -> None:
    row_aliases.uninstall()
    try:
        with override_settings(PINDB_ROWS_BELONG_TO_MASTER=False):
            assert Order.objects.count() == 3
            kill_connection()
            assert totals(Order.objects.order_by("pk")) == TOTALS
            assert pindb.get_replica("shop") == "shop"
    finally:
        row_aliases.install()


def test_whoever_chooses_while_a_lost_replica_is_asked_waits_for_the_answer_and_not_for_long(
    shop: PostgresCluster,
) -> None:
    kill_connection()
    list(Order.objects.all())
    with health._replicas["shop-1"]._under_way:  # another thread asks
        place, seconds = timed(read)
    assert place == "shop"
    assert seconds >= health.STARTUP_WAIT
