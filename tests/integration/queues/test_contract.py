"""The contract of both adapters: way to send x broker x queue, each on worker processes of its own."""

from __future__ import annotations

from typing import Any

import pytest

import pindb
from pindb import propagation
from tests.carriers import DAY, carrying
from tests.integration.queues.queues import WAYS, CeleryQueue, Queue

BOTH = ["audit", "default"]


@pytest.mark.parametrize("way", WAYS)
def test_a_task_starts_with_its_callers_pins_and_with_no_others(queue: Queue, way: str) -> None:
    assert queue.pinned(queue.send("where", way=way)) == []
    pindb.pin("default")
    assert queue.pinned(queue.send("where", way=way)) == ["default"]
    with pindb.pinning_context():
        assert queue.pinned(queue.send("where", way=way)) == []


def test_the_next_step_reads_what_the_steps_before_wrote(queue: Queue) -> None:
    pindb.pin("default")
    assert queue.pinned(queue.in_sequence(("writes", "audit"), ("where",), ("where",))) == BOTH


def test_a_fan_in_reads_what_every_member_wrote_and_nothing_else_is_pinned(queue: Queue) -> None:
    assert queue.pinned(queue.fan_in(("writes", "audit"), ("writes", "default"), ("where",))) == BOTH
    assert queue.pinned(queue.fan_in(("writes", "audit"), ("where",))) == ["audit"]
    assert queue.pinned(queue.fan_in(("where",), ("where",))) == []


def test_who_takes_a_result_reads_what_the_task_wrote(queue: Queue) -> None:
    queue.take(queue.send("where"))
    assert pindb.get_newly_pinned() == set()
    queue.take(queue.send("writes", "audit"))
    assert pindb.get_newly_pinned() == {"audit"}
    assert queue.pinned(queue.send("where")) == ["audit"]


@pytest.mark.parametrize(
    "garbage", ["x", {"v": 99}, "99;whatever", pytest.param(carrying(nowhere=DAY), id="a set nobody knows")]
)
def test_garbage_means_masters(queue: Queue, garbage: Any) -> None:
    if isinstance(queue, CeleryQueue):
        result = queue.paths.task("where").apply_async(headers={propagation.KEY: garbage})
    else:
        message = queue.message("where")  # type: ignore[attr-defined]
        message.options[propagation.KEY] = garbage
        result = queue.workers.broker.enqueue(message)  # type: ignore[attr-defined]
    assert queue.pinned(result) == BOTH


def test_of_many_tasks_at_once_each_sees_its_own_pins(queue: Queue) -> None:
    sent = []
    for number in range(20):
        with pindb.pinning_context():
            if number % 2:
                pindb.pin("default")
            sent.append(queue.send("where"))
    assert [queue.pinned(result) for result in sent] == [[], ["default"]] * 10
