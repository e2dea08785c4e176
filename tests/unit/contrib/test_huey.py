"""Installing pindb in a Huey, and what a Huey in memory shows of the messages."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from huey import MemoryHuey

import pindb
from pindb import PinDbConfigError, interrupts
from pindb.adapters import KEY, NOTHING_PINNED
from pindb.contrib.huey import install, uninstall


@pytest.fixture
def huey() -> MemoryHuey:
    return MemoryHuey("memory", immediate=False)


def test_install_twice_is_once_and_uninstall_undoes_it(huey: MemoryHuey) -> None:
    before = dict(vars(huey))
    install(huey)
    wrapped = dict(vars(huey))
    install(huey)
    assert vars(huey) == wrapped != before
    uninstall(huey)
    uninstall(huey)
    assert vars(huey) == before


@pytest.mark.parametrize("function", [install, uninstall])
def test_anything_but_a_huey_is_an_error(function: Any) -> None:
    with pytest.raises(PinDbConfigError, match=rf"contrib\.huey\.{function.__name__}\(\) got 'redis'"):
        function("redis")


def test_the_message_of_a_task_has_the_pins_and_its_object_does_not(huey: MemoryHuey) -> None:
    seen: list[Any] = []

    @huey.task(context=True)
    def perform(task: Any = None, **kwargs: Any) -> None:
        seen.append((kwargs, KEY in task.kwargs, pindb.is_pinned("default")))
        if task.retries:
            raise ZeroDivisionError

    install(huey)
    task = perform.s(number=1)
    task.retries = 1
    with pindb.pinning_context():
        pindb.pin("default")
        huey.enqueue(task)
    with pindb.pinning_context():
        huey.enqueue(task)
    assert task.kwargs == {"number": 1}
    first, second = (huey.serializer.deserialize(data) for data in huey.storage.enqueued_items())
    assert first.kwargs[KEY] != second.kwargs[KEY] == NOTHING_PINNED
    worker = threading.Thread(target=lambda: [huey.execute(huey.dequeue()) for _ in range(4)])
    worker.start()
    worker.join()
    assert seen == [({"number": 1}, False, pinned) for pinned in (True, False, True, False)]


def test_a_time_limit_of_the_caller_ends_what_it_runs_eagerly(
    huey: MemoryHuey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hit() -> None:
        raise TimeoutError

    monkeypatch.setattr(interrupts, "types", (TimeoutError,))
    monkeypatch.setattr("pindb.contrib.huey.open_eager", hit)
    huey.immediate = True
    install(huey)
    with pytest.raises(TimeoutError):
        huey.task()(print)()
