"""Decorators and context managers: sync and async, re-entrant, reusable, thread-safe; and what they refuse."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import pindb
from pindb.core import frames
from tests.shop.models import Order

router = pindb.GreedyPinDbRouter()


def read() -> str:
    return router.db_for_read(Order)


async def aread() -> str:
    await asyncio.sleep(0)
    return read()


OVERRIDES = [
    pytest.param(pindb.master("default"), "default", id="master"),
    pytest.param(pindb.with_masters("default"), "default", id="with_masters one"),
    pytest.param(pindb.with_masters(["default", "audit"]), "default", id="with_masters many"),
    pytest.param(pindb.unpinned_replica("default"), "replica", id="unpinned_replica"),
    pytest.param(pindb.with_replicas("default"), "replica", id="with_replicas one"),
    pytest.param(pindb.with_replicas(("default", "audit")), "replica", id="with_replicas many"),
]


@pytest.mark.parametrize(("override", "place"), OVERRIDES)
@pytest.mark.parametrize("pin", [True, False])
def test_an_override_holds_for_its_extent(override: Any, place: str, pin: bool) -> None:
    replica = pindb.get_replica("default")
    if pin:
        pindb.pin("default")
    outside = read()
    inside = "default" if place == "default" else replica
    with override:
        assert read() == inside
        with override:
            assert read() == inside
        assert read() == inside
    assert read() == outside
    assert override(read)() == inside
    assert asyncio.run(override(aread)()) == inside
    assert read() == outside


def test_the_innermost_override_wins() -> None:
    with pindb.master("default"):
        with pindb.unpinned_replica("default"):
            assert read() != "default"
            with pindb.master("default"):
                assert read() == "default"
            assert read() != "default"
        assert read() == "default"


def test_an_override_of_one_set_leaves_the_others_alone() -> None:
    replica = read()
    with pindb.master("audit"):
        assert read() == replica
        pindb.pin("default")
        assert read() == "default"


def test_an_override_ends_with_an_exception_too() -> None:
    replica = read()
    with pytest.raises(ZeroDivisionError), pindb.master("default"):
        raise ZeroDivisionError
    assert read() == replica


def test_one_override_object_serves_many_threads_at_once() -> None:
    override = pindb.master("default")

    def work(_: int) -> tuple[str, bool]:
        with override:
            inside = read()
        return inside, read() == "default"

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(work, range(40))) == {("default", False)}


def test_an_override_does_not_pin() -> None:
    with pindb.master("default"):
        assert router.db_for_write(Order) == "default"
    assert pindb.get_pinned() == set()


def test_pinned_pins_then_runs_and_the_pin_stays() -> None:
    @pindb.pinned("default", "audit")
    def work() -> frozenset[str]:
        return pindb.get_newly_pinned()

    assert pindb.get_pinned() == set()
    assert work() == {"default", "audit"} == pindb.get_pinned()


async def test_pinned_decorates_a_coroutine_function() -> None:
    @pindb.pinned("default")
    async def work(value: int) -> tuple[int, str]:
        await asyncio.sleep(0)
        return value, read()

    assert inspect.iscoroutinefunction(work)
    coroutine = work(3)
    assert not pindb.is_pinned("default"), "pinned when it runs, not when it is called"
    assert await coroutine == (3, "default")


def test_pinned_is_a_context_manager() -> None:
    with pindb.pinned("default"):
        assert read() == "default"
    assert pindb.is_pinned("default")


def test_a_pinning_context_is_reusable_reentrant_and_decorates() -> None:
    unit = pindb.pinning_context()
    with unit:
        pindb.pin("default")
        with unit:
            assert pindb.get_pinned() == set()
        assert pindb.get_pinned() == {"default"}

    @unit
    def work() -> frozenset[str]:
        pindb.pin("audit")
        return pindb.get_pinned()

    assert work() == work() == {"audit"}
    assert pindb.get_pinned() == set()
    assert repr(unit) == "pinning_context()"


def test_a_new_unit_of_work_knows_nothing_of_the_overrides_around_it() -> None:
    with pindb.master("default"), pindb.pinning_context():
        assert read() != "default"


async def test_an_async_generator_that_is_left_unfinished_leaves_no_override_behind() -> None:
    replica = pindb.get_replica("default")
    pindb.pin("default")

    async def rows() -> AsyncIterator[str]:
        with pindb.unpinned_replica("default"):
            yield read()
            yield read()

    async for row in rows():
        assert row == replica
        break
    gc.collect()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert read() == "default"


async def test_a_task_that_starts_its_own_successor_keeps_no_chain_of_contexts() -> None:
    async def relay(left: int, done: asyncio.Future[int]) -> None:
        with pindb.pinning_context():
            pass
        depth, frame = 0, frames.frame_var.get()
        while frame is not None:
            depth, frame = depth + 1, frame.parent
        if not left:
            done.set_result(depth)
            return
        with pindb.pinning_context():
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(relay(left - 1, done)))

    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    await relay(50, done)
    assert await done <= 4


def test_frames_do_not_pile_up() -> None:
    before = frames.current_frame()
    for _ in range(3):
        with pindb.master("default"), pindb.pinned("audit"), pindb.unpinned_replica("default"):
            pass
    assert frames.current_frame() is before
