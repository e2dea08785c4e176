"""Django's tasks on a backend that pindb does not know, and on Django's immediate one."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

import pindb
from pindb import interrupts
from pindb.adapters import KEY
from pindb.testing.conformance import Conformance
from pindb.testing.queues import PIN, UNPIN, QueueUnderTest, expect, report
from tests.unit.contrib.memory import Backend

TASKS = {
    "default": {"BACKEND": "tests.unit.contrib.memory.Backend"},
    "immediate": {"BACKEND": "pindb.contrib.django_tasks.ImmediateBackend"},
}


class Memory(QueueUnderTest):
    name = "any backend of django.tasks"
    cannot = {"result": "A result brings no pins."}  # noqa: RUF012 - read only
    lacks = frozenset({"delayed", "retry", "retry_writes", "sequence", "fan_in"})

    def __init__(self) -> None:
        from tests.unit.contrib import memory_tasks

        self.perform, self.at_once = memory_tasks.perform, memory_tasks.at_once
        self.backend: Any = memory_tasks.perform.get_backend()
        self.backend.messages.clear()

    def send(self, steps: Any) -> Any:
        return self.perform.enqueue(steps)

    def send_twice(self, steps: Any) -> Any:
        self.send(steps)
        self.backend.messages.append(self.backend.messages[-1])

    def send_carrying(self, steps: Any, pins: str | None) -> Any:
        self.send(steps)
        message = json.loads(self.backend.messages.pop())
        message["kwargs"] = {} if pins is None else {KEY: pins}
        self.backend.messages.append(json.dumps(message))

    def run_eagerly(self, steps: Any) -> Any:
        return self.at_once.enqueue(steps)

    def work(self, until: Callable[[], bool]) -> None:
        worker = threading.Thread(target=self.backend.work)
        worker.start()
        worker.join()
        assert until()


class TestAnyBackend(Conformance):
    @pytest.fixture
    def queue(self) -> Iterator[Memory]:
        with override_settings(TASKS=TASKS):
            yield Memory()

    def test_pins_show_in_no_result(self, queue: Memory, tmp_path: Path) -> None:
        pindb.pin("default")
        result = queue.send([report(tmp_path / "run")])
        expect(queue, tmp_path / "run", [True])
        assert result.kwargs == queue.perform.get_result(result.id).kwargs == {}

    async def test_pins_show_in_no_result_of_a_coroutine(self, queue: Memory, tmp_path: Path) -> None:
        pindb.pin("default")
        result = await queue.perform.aenqueue([report(tmp_path / "run")])
        expect(queue, tmp_path / "run", [True])
        assert result.kwargs == (await queue.perform.aget_result(result.id)).kwargs == {}

    def test_a_backend_that_does_not_say_that_a_task_starts_carries_pins_too(
        self, queue: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Backend, "signals", False)
        with pindb.pinning_context():
            pindb.pin("default")
            queue.send([report(tmp_path / "after"), UNPIN])
        queue.send([report(tmp_path / "other")])
        expect(queue, tmp_path / "after", [True])
        expect(queue, tmp_path / "other", [False])

    async def test_acall_runs_an_eager_task_in_a_unit_of_work_too(self, queue: Memory) -> None:
        result = queue.send([])
        with pindb.pinning_context():
            await queue.perform.acall(Context(result), [PIN], **{KEY: "1"})
            assert not pindb.is_pinned("default")
            await queue.perform.acall(Context(result), [PIN])  # a function call
            assert pindb.is_pinned("default")

    def test_a_task_whose_time_is_up_before_it_begins_does_not_run(
        self, queue: Memory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def hit(_: object) -> None:
            raise TimeoutError

        result = queue.send([])
        monkeypatch.setattr(interrupts, "types", (TimeoutError,))
        monkeypatch.setattr("pindb.contrib.django_tasks.open_message", hit)
        with pytest.raises(TimeoutError):
            queue.perform.call(Context(result), [PIN], **{KEY: "1"})

    def test_a_task_can_be_pickled(self, queue: Memory) -> None:
        task = queue.perform.using(priority=0)
        assert pickle.loads(pickle.dumps(task)) == task
        assert type(pickle.loads(pickle.dumps(task))) is type(queue.perform)

    def test_a_backend_on_this_one_has_the_mixin_of_tasks_once(self) -> None:
        class Further(Backend):
            pass

        assert Further.task_class is Backend.task_class


class Context:
    """What a task gets that takes a context."""

    def __init__(self, task_result: Any) -> None:
        self.task_result = task_result
