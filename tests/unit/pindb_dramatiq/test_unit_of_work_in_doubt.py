"""A unit of work whose opening fails, or whose message was never closed: the actor reads masters, nothing is left."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from dramatiq.worker import _WorkerThread

import pindb
from pindb import propagation
from pindb.core import frames
from pindb.propagation import messages
from pindb_dramatiq.unit_of_work import current_message, on_task_end, on_task_start
from tests.carriers import NOTHING_PINNED
from tests.unit.pindb_dramatiq.sites import Incoming


def test_a_message_that_was_never_closed_leaves_nothing_for_the_next_on_its_thread() -> None:
    seen: list[Any] = []

    class Thread(_WorkerThread):  # type: ignore[misc]
        def __init__(self) -> None:
            threading.Thread.__init__(self)

        def run(self) -> None:
            second: Any = Incoming({})
            on_task_start(Incoming({}))  # type: ignore[arg-type]
            pindb.pin("default")
            on_task_start(second)
            seen.append(pindb.get_pinned())
            on_task_end(second)
            seen.append((frames.frame_var.get(), current_message()))

    (thread := Thread()).start()
    thread.join()
    assert seen == [frozenset(), (None, None)]


@pytest.mark.parametrize("options", [None, [], "x"])
def test_where_opening_fails_the_actor_reads_masters(options: Any, caplog: pytest.LogCaptureFixture) -> None:
    message: Any = Incoming(options)
    on_task_start(message)
    assert pindb.get_pinned() == {"default", "audit"}
    on_task_end(message)
    assert pindb.get_pinned() == set()
    assert "could not open" in caplog.text


@pytest.mark.parametrize("place", ["_incoming", "push_unit"])
def test_wherever_opening_fails_the_actor_reads_masters(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original, failed = getattr(messages, place), []

    def fails_once(*arguments: Any) -> Any:
        if not failed:
            failed.append(place)
            raise ZeroDivisionError
        return original(*arguments)

    monkeypatch.setattr(messages, place, fails_once)
    message: Any = Incoming({propagation.KEY: NOTHING_PINNED})
    on_task_start(message)
    assert failed
    assert pindb.get_pinned() == {"default", "audit"}
    on_task_end(message)
    assert pindb.get_pinned() == set()


def test_a_null_is_nothing_that_pindb_has_written() -> None:
    message: Any = Incoming({propagation.KEY: None})
    on_task_start(message)
    assert pindb.get_pinned() == {"default", "audit"}
    on_task_end(message)
