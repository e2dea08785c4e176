"""Whose unit of work a thread, a fork and an asyncio task belong to."""

from __future__ import annotations

import asyncio
import contextvars
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

import pindb
from tests.shop.models import Order


def in_thread(function: Any) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_a_new_thread_is_a_unit_of_work_of_its_own() -> None:
    pindb.pin("default")

    def work() -> frozenset[str]:
        seen = pindb.get_pinned()
        pindb.pin("audit")
        return seen

    assert in_thread(work) == set()
    assert pindb.get_pinned() == {"default"}


def test_a_thread_that_runs_in_a_copy_of_the_context_belongs_to_the_unit_of_work() -> None:
    pindb.pin("default")
    copy = contextvars.copy_context()

    def work() -> frozenset[str]:
        pindb.pin("audit")
        return pindb.get_pinned()

    assert in_thread(lambda: copy.run(work)) == {"default", "audit"}
    assert pindb.get_newly_pinned() == {"default", "audit"}


def test_outside_all_contexts_a_thread_is_one_unit_of_work() -> None:
    def work() -> list[object]:
        pindb.pin("default")
        seen: list[object] = [pindb.get_newly_pinned()]
        with pindb.pinning_context():
            seen.append(pindb.get_pinned())
        seen.append(pindb.get_pinned())
        pindb.unpin_all()
        return [*seen, pindb.get_pinned()]

    assert in_thread(work) == [{"default"}, set(), {"default"}, set()]


def test_a_forked_child_changes_nothing_in_its_parent_and_its_contexts_are_clean() -> None:
    pindb.pin("default")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        with pindb.pinning_context():
            inside = pindb.get_pinned()
        pindb.pin("audit")
        os.write(write, f"{sorted(inside)} {sorted(pindb.get_pinned())}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 100) == b"[] ['audit', 'default']"
    assert pindb.get_pinned() == {"default"}


async def test_a_pin_made_in_a_child_task_is_seen_by_the_whole_unit_of_work() -> None:
    async def child() -> None:
        pindb.pin("default")

    await asyncio.gather(child(), child())
    assert pindb.is_pinned("default")


async def test_a_pin_made_under_sync_to_async_is_seen_by_the_whole_unit_of_work() -> None:
    await sync_to_async(pindb.pin)("default")
    await asyncio.to_thread(pindb.pin, "audit")
    assert pindb.get_newly_pinned() == {"default", "audit"}


def test_a_pin_made_under_async_to_sync_is_seen_by_the_whole_unit_of_work() -> None:
    async def work() -> None:
        pindb.pin("default")

    async_to_sync(work)()
    assert pindb.is_pinned("default")


async def test_an_override_in_one_asyncio_task_is_not_seen_by_its_siblings() -> None:
    router = pindb.GreedyPinDbRouter()
    replica = pindb.get_replica("default")
    inside, looked = asyncio.Event(), asyncio.Event()

    async def overriding() -> str:
        with pindb.master("default"):
            inside.set()
            await looked.wait()
            return router.db_for_read(Order)

    async def looking() -> str:
        await inside.wait()
        seen = router.db_for_read(Order)
        looked.set()
        return seen

    assert await asyncio.gather(overriding(), looking()) == ["default", replica]


async def test_contexts_of_asyncio_tasks_stay_apart() -> None:
    barrier = asyncio.Barrier(2)

    async def work(alias: str) -> frozenset[str]:
        with pindb.pinning_context():
            pindb.pin(alias)
            await barrier.wait()
            return pindb.get_pinned()

    assert await asyncio.gather(work("default"), work("audit")) == [{"default"}, {"audit"}]
    assert pindb.get_pinned() == set()
