"""Async actors: their pins come back to the worker, concurrent ones stay apart, late ones are safe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from dramatiq.middleware import AsyncIO, TimeLimit

import pindb
import pindb_dramatiq
from tests.unit.pindb_dramatiq.sites import TIMEOUT, Site, stub_site


@pytest.fixture
def asynchronous() -> Iterator[Site]:
    site = stub_site(installed=False, more=[AsyncIO()])
    pindb_dramatiq.install(site.broker)
    [limit] = [middleware for middleware in site.broker.middleware if isinstance(middleware, TimeLimit)]
    limit.manager.interval = 0.01
    limit.after_process_boot(site.broker)

    @site.actor
    def look(*_: object) -> None:
        site.report("look")

    with site.working(threads=4):
        yield site


def look(site: Site) -> Any:
    return site.broker.get_actor("look")


def test_the_callers_pins_reach_the_coroutine_and_its_own_come_back(asynchronous: Site) -> None:
    @asynchronous.actor
    async def write() -> None:
        asynchronous.report("before")
        await asyncio.gather(in_a_task("audit"), sync_to_async(pindb.get_pinned)())

    async def in_a_task(name: str) -> None:
        await asyncio.sleep(0)
        pindb.pin(name)

    pindb.pin("default")
    write.send_with_options(on_success=look(asynchronous))
    assert asynchronous.next() == ("before", ["default"], [])
    assert asynchronous.next() == ("look", ["audit", "default"], [])


def test_what_a_coroutine_wrote_under_sync_to_async_comes_back(asynchronous: Site) -> None:
    @asynchronous.actor
    async def write() -> None:
        await sync_to_async(pindb.pin)("audit")
        await asyncio.to_thread(pindb.pin, "default")

    write.send_with_options(on_success=look(asynchronous))
    assert asynchronous.pinned() == ["audit", "default"]


def test_what_a_coroutine_sends_has_its_pins(asynchronous: Site) -> None:
    @asynchronous.actor
    async def send() -> None:
        pindb.pin("audit")
        look(asynchronous).send()

    send.send()
    assert asynchronous.pinned() == ["audit"]


def test_coroutines_at_once_do_not_see_each_others_pins(asynchronous: Site) -> None:
    arrived: list[str] = []
    all_arrived = asyncio.Event()

    @asynchronous.actor
    async def meet(name: str) -> None:
        if name:
            pindb.pin(name)
        arrived.append(name)
        if len(arrived) == 4:
            all_arrived.set()
        await all_arrived.wait()
        asynchronous.report(name)

    for name in ("default", "audit", "", ""):
        meet.send(name)
    seen = sorted(asynchronous.next() for _ in range(4))
    assert seen == [("", [], []), ("", [], []), ("audit", ["audit"], ["audit"]), ("default", ["default"], ["default"])]


def test_a_failed_coroutines_writes_reach_its_retry(asynchronous: Site) -> None:
    @asynchronous.actor(max_retries=1)
    async def fail() -> None:
        asynchronous.report()
        if not pindb.is_pinned("audit"):
            pindb.pin("audit")
            raise ZeroDivisionError

    fail.send()
    assert [asynchronous.pinned(), asynchronous.pinned()] == [[], ["audit"]]


def test_an_interrupted_coroutines_writes_reach_its_retry(asynchronous: Site) -> None:
    @asynchronous.actor(max_retries=1, time_limit=20)
    async def hang() -> None:
        asynchronous.report()
        if not pindb.is_pinned("audit"):
            pindb.pin("audit")
            await asyncio.sleep(TIMEOUT)

    hang.send()
    assert [asynchronous.pinned(), asynchronous.pinned()] == [[], ["audit"]]


def test_what_a_coroutine_left_running_sees_and_sends_what_it_wrote_and_leaks_nothing(asynchronous: Site) -> None:
    closed, tasks = threading.Event(), []

    @asynchronous.actor
    async def leave_running() -> None:
        pindb.pin("default")
        tasks.append(asyncio.create_task(straggle()))

    async def straggle() -> None:
        await asyncio.to_thread(closed.wait, TIMEOUT)
        pindb.pin("audit")
        asynchronous.report("straggler")
        look(asynchronous).send()

    leave_running.send()
    asynchronous.settle()
    look(asynchronous).send()
    assert asynchronous.next() == ("look", [], []), "the unit of work is closed, the coroutine is not done"
    closed.set()
    assert asynchronous.next() == ("straggler", ["audit", "default"], ["audit", "default"])
    assert asynchronous.next() == ("look", ["audit", "default"], [])
    for _ in range(8):
        look(asynchronous).send()
    assert [asynchronous.pinned() for _ in range(8)] == [[]] * 8
