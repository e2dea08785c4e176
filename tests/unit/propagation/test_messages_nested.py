"""Messages inside others: a task goes on in its own unit of work, and one that was left open ends between two tasks."""

from __future__ import annotations

import asyncio

import pindb
from pindb import propagation
from pindb.core import frames
from tests.carriers import carrying, pins_of


def test_what_an_interrupted_close_left_behind_is_discarded_between_two_tasks() -> None:
    outside = frames.current_frame()
    left = propagation.open_message(carrying(default=5))
    pindb.master("audit").__enter__()
    propagation.discard_leftovers()
    assert frames.current_frame() is outside
    work = propagation.open_message(carrying())
    assert pindb.get_pinned() == set()
    work.close()
    assert frames.current_frame() is outside
    left.close()
    assert frames.current_frame() is outside


def test_a_task_that_handles_a_message_goes_on_in_its_own_unit_of_work() -> None:
    """A Celery task that drains a queue of another kind."""
    with propagation.open_message(carrying(default=5)):
        pindb.pin("audit")
        with propagation.open_message(carrying()):
            assert pindb.get_pinned() == set()
        assert pindb.get_pinned() == {"default", "audit"}
        assert pins_of(propagation.outgoing()).keys() == {"default", "audit"}


async def test_an_asyncio_task_that_handles_a_message_leaves_its_parents_unit_of_work_open() -> None:
    async def consume() -> None:
        with propagation.open_message(carrying()):
            await asyncio.sleep(0)

    with propagation.open_message(carrying(default=5)):
        await asyncio.create_task(consume())
        with pindb.pinning_context():
            pass
        assert pindb.get_pinned() == {"default"}


def test_what_is_pinned_for_a_message_that_runs_no_more_ends_with_the_next_one() -> None:
    outside = frames.current_frame()
    propagation.open_repeated()
    propagation.take(None)
    assert pins_of(propagation.outgoing())
    propagation.open_repeated()
    assert not pins_of(propagation.outgoing())
    propagation.take(None)
    propagation.discard_leftovers()
    assert pindb.get_pinned() == set()
    assert frames.current_frame() is outside
