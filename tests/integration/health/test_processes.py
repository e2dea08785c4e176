"""Health in a process as it really is: threads, forks, event loops, signals, and probes that come late."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

import pindb
from pindb.config.database_sets import current_config
from pindb.servers import health, probe
from pindb.servers.timed_call import TimedCall
from pindb.servers.vendors.base import Report
from tests.integration.health.shop import (
    Clock,
    Probes,
    read,
    reads,
    stopped,
    until_no_probe_is_under_way,
)
from tests.servers import PostgresCluster, wait_until
from tests.shop.models import Order


@pytest.mark.parametrize("known", [True, False], ids=["connecting", "probing"])
def test_an_exception_raised_by_a_signal_while_a_replica_is_waited_for_is_not_swallowed(
    shop: PostgresCluster, *, known: bool
) -> None:
    """Celery's soft time limit is one."""

    class TimeLimitError(Exception):
        pass

    def over(*_: object) -> None:
        raise TimeLimitError

    if known:
        reads()
        connections.close_all()
    before = signal.signal(signal.SIGALRM, over)
    try:
        with stopped(shop.standbys[0]), stopped(shop.standbys[1]):
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(TimeLimitError):
                read()
    finally:
        signal.signal(signal.SIGALRM, before)
    until_no_probe_is_under_way()
    health.forget()
    assert read() != "shop"


@pytest.mark.parametrize("known", [True, False], ids=["connecting", "probing"])
def test_without_a_thread_to_be_had_the_master_is_read(
    shop: PostgresCluster, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    if known:
        reads()
        connections.close_all()

    def no(_self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no)
    assert read() == "shop"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_asks_for_itself_even_if_its_parent_was_asking(
    shop: PostgresCluster, clock: Clock, asked: Probes
) -> None:
    with stopped(shop.standbys[0]), stopped(shop.standbys[1]):
        assert read() == "shop"
        connections.close_all()
        clock.move(60)
        assert read() == "shop"  # its probe is under way when the fork happens
        connections.close_all()
        reader, writer = os.pipe()
        before = len(asked.aliases)
        pid = os.fork()
        if pid == 0:
            try:
                alias = read()
                os.write(writer, f"{alias} {len(asked.aliases) - before}".encode())
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        assert os.read(reader, 100) == b"shop 2"
        os.close(reader)
        os.close(writer)


def test_contexts_that_all_start_at_once_in_a_new_process_all_read_replicas(
    shop: PostgresCluster, asked: Probes
) -> None:
    health.forget()
    barrier = threading.Barrier(8)

    def first_read(_: int) -> str:
        barrier.wait()
        try:
            return read()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(first_read, range(8))) <= {"shop-1", "shop-2"}
    assert len(asked.aliases) <= 2


async def test_in_an_event_loop_nobody_waits_and_what_is_known_counts(
    shop: PostgresCluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, ask = threading.Event(), probe.ask

    def held(*args: Any, **wanted: Any) -> Any:
        assert answer.wait(60)
        return ask(*args, **wanted)

    def waits(*_: object) -> bool:
        raise AssertionError("an event loop waits for a server")

    asked = Probes(held)
    monkeypatch.setattr(probe, "ask", asked)
    monkeypatch.setattr(health, "PROBE_TIMEOUT", 60.0)
    with monkeypatch.context() as nobody, pindb.pinning_context():
        nobody.setattr(TimedCall, "wait", waits)
        assert pindb.get_replica("shop") == "shop", "nothing is known yet"
    answer.set()
    until_no_probe_is_under_way()
    with pindb.pinning_context():
        assert pindb.get_replica("shop") in ("shop-1", "shop-2")
        assert sorted(asked.aliases) == ["shop-1", "shop-2"]
    with pindb.pinning_context():
        assert await Order.objects.acount() == 0
    await Order.objects.aexists()


def test_while_a_thread_asks_the_others_go_by_the_last_answer_but_not_for_long(
    shop: PostgresCluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reads() == {"shop-1", "shop-2"}
    clock.move(6)
    asked, answer = threading.Event(), threading.Event()

    def ask(*_: object, **__: object) -> Report:
        asked.set()
        answer.wait(10)
        return Report()

    monkeypatch.setattr(probe, "ask", ask)
    (db_set,) = current_config().sets.values()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(health.can_be_read, "shop-1", db_set)
        asked.wait(10)
        assert health.can_be_read("shop-1", db_set), "known to be healthy a moment ago"
        assert not first.done()
        wait_until(lambda: not health.can_be_read("shop-1", db_set), 0.6, "it is doubted")
        assert not first.done(), "nobody else waited"
        answer.set()
        assert first.result()
        pool.submit(connections.close_all).result()
    assert health.can_be_read("shop-1", db_set)


def test_an_answer_that_nobody_waited_for_and_took_too_long_is_none(
    shop: PostgresCluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (db_set,) = current_config().sets.values()
    with stopped(shop.standbys[0]):
        assert not health.can_be_read("shop-1", db_set)
    until_no_probe_is_under_way()
    clock.move(10.1)
    monkeypatch.setattr(health, "PROBE_TIMEOUT", 0.0)
    assert not health.can_be_read("shop-1", db_set)
    until_no_probe_is_under_way()
    assert not health.can_be_read("shop-1", db_set)
