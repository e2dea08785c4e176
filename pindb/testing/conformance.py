"""The paths that pins take through a task queue, as tests that prove an adapter on the real queue.

The author registers one task, which calls `perform()`, tells in a `QueueUnderTest` how messages are published and how
one worker runs, and subclasses `Conformance`:

    # tasks.py
    @app.task
    def run(steps):
        perform(steps, send=run.delay)  # from pindb.testing.queues

    # test_conformance.py
    class TestMyQueue(Conformance):
        @pytest.fixture
        def queue(self): return MyQueue()

What the queue cannot carry is declared in `cannot`, what it does not have in `lacks`: those tests are skipped. The
tests need a DB set "default" with a replica, and ask no database.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

import pindb
from pindb.adapters import NOTHING_PINNED
from pindb.testing.queues import DB_SET, FAIL, PATHS, PIN, UNPIN, FailedOnPurpose, QueueUnderTest, Step, expect, report

PATH: Final = "pindb_path"
"""Attribute of a test: which of the `PATHS` it is about."""


def of(path: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the decorator that says which of the `PATHS` a test is about."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        setattr(test, PATH, path)
        return test

    return decorate


class Conformance:
    """The tests. A subclass has a fixture `queue`, which returns a `QueueUnderTest` that is empty."""

    @pytest.fixture
    def queue(self) -> QueueUnderTest:
        raise NotImplementedError("Override the fixture `queue`: it returns your QueueUnderTest.")

    @pytest.fixture(autouse=True)
    def _path(self, request: pytest.FixtureRequest, queue: QueueUnderTest) -> None:
        assert {*queue.cannot, *queue.lacks} <= set(PATHS), f"`cannot` and `lacks` may name {', '.join(PATHS)}"
        path = getattr(request.function, PATH, "")
        if path in queue.cannot:
            pytest.skip(f"{queue.name}: {queue.cannot[path]}")
        if path in queue.lacks:
            pytest.skip(f"{queue.name} has no such path.")

    @of("direct")
    def test_a_task_starts_with_its_callers_pins_and_with_no_others(
        self, queue: QueueUnderTest, tmp_path: Path
    ) -> None:
        with pindb.pinning_context():
            queue.send([report(tmp_path / "before")])
            pindb.pin(DB_SET)
            queue.send([report(tmp_path / "after")])
        with pindb.pinning_context():
            queue.send([report(tmp_path / "another")])
        expect(queue, tmp_path / "before", [False])
        expect(queue, tmp_path / "after", [True])
        expect(queue, tmp_path / "another", [False])

    @of("leak")
    @pytest.mark.parametrize("end", [[], [FAIL]], ids=["success", "error"])
    def test_the_next_task_of_a_worker_is_not_pinned_by_the_one_before(
        self, queue: QueueUnderTest, tmp_path: Path, end: list[Step]
    ) -> None:
        for _ in range(3):
            queue.send([report(tmp_path / "seen"), PIN, *end])
        expect(queue, tmp_path / "seen", [False] * 3)

    @of("nested")
    @pytest.mark.parametrize("writer", ["caller", "task"])
    def test_a_tasks_message_carries_what_it_was_given_and_what_it_wrote(
        self, queue: QueueUnderTest, tmp_path: Path, writer: str
    ) -> None:
        with pindb.pinning_context():
            if writer == "caller":
                pindb.pin(DB_SET)
            queue.send([*([PIN] if writer == "task" else []), ["send", [report(tmp_path / "child")]]])
        expect(queue, tmp_path / "child", [True])

    @of("delayed")
    def test_a_task_for_later_starts_with_its_callers_pins(self, queue: QueueUnderTest, tmp_path: Path) -> None:
        with pindb.pinning_context():
            pindb.pin(DB_SET)
            queue.send_delayed([report(tmp_path / "later")])
        expect(queue, tmp_path / "later", [True])

    @of("retry")
    def test_a_task_that_is_run_again_has_the_pins_of_its_first_run(
        self, queue: QueueUnderTest, tmp_path: Path
    ) -> None:
        with pindb.pinning_context():
            pindb.pin(DB_SET)
            queue.send_retried([report(tmp_path / "runs"), ["fail once", str(tmp_path / "failed")]])
        expect(queue, tmp_path / "runs", [True, True])

    @of("retry_writes")
    def test_a_task_that_is_run_again_reads_what_the_failed_run_wrote(
        self, queue: QueueUnderTest, tmp_path: Path
    ) -> None:
        queue.send_retried([report(tmp_path / "runs"), PIN, ["fail once", str(tmp_path / "failed")]])
        expect(queue, tmp_path / "runs", [False, True])

    @of("redelivery")
    @pytest.mark.parametrize("pinned", [True, False], ids=["pinned", "unpinned"])
    def test_a_message_that_is_delivered_twice_has_the_same_pins(
        self, queue: QueueUnderTest, tmp_path: Path, pinned: bool
    ) -> None:
        with pindb.pinning_context():
            if pinned:
                pindb.pin(DB_SET)
            queue.send_twice([report(tmp_path / "runs"), PIN])
        expect(queue, tmp_path / "runs", [pinned, pinned])

    @of("eager")
    def test_a_task_starts_with_its_callers_pins_and_hands_its_own_back(
        self, queue: QueueUnderTest, tmp_path: Path
    ) -> None:
        with pindb.pinning_context():
            queue.run_eagerly([report(tmp_path / "seen")])
            assert not pindb.is_pinned(DB_SET)
            queue.run_eagerly([PIN])
            assert pindb.get_newly_pinned() == {DB_SET}
            queue.run_eagerly([report(tmp_path / "seen"), UNPIN, report(tmp_path / "seen")])
            assert pindb.is_pinned(DB_SET)
        expect(queue, tmp_path / "seen", [False, True, False])

    @of("eager")
    def test_an_eager_task_that_fails_leaves_its_caller_in_its_own_unit_of_work(self, queue: QueueUnderTest) -> None:
        with pindb.pinning_context():
            with contextlib.suppress(FailedOnPurpose):
                queue.run_eagerly([PIN, FAIL])
            assert pindb.get_newly_pinned() == {DB_SET}
        assert not pindb.is_pinned(DB_SET)

    @of("sequence")
    def test_the_next_task_reads_what_the_one_before_wrote_and_was_given(
        self, queue: QueueUnderTest, tmp_path: Path
    ) -> None:
        queue.send_sequence([PIN], [report(tmp_path / "second")], [report(tmp_path / "third")])
        queue.send_sequence([report(tmp_path / "none")], [report(tmp_path / "none")])
        expect(queue, tmp_path / "second", [True])
        expect(queue, tmp_path / "third", [True])
        expect(queue, tmp_path / "none", [False, False])

    @of("fan_in")
    @pytest.mark.parametrize("writer", [0, 1])
    def test_a_task_that_waits_for_several_reads_what_each_wrote(
        self, queue: QueueUnderTest, tmp_path: Path, writer: int
    ) -> None:
        members: list[list[Step]] = [[report(tmp_path / "members")], [report(tmp_path / "members")]]
        queue.send_fan_in(members, [report(tmp_path / "none")])
        members[writer].append(PIN)
        queue.send_fan_in(members, [report(tmp_path / "all")])
        expect(queue, tmp_path / "members", [False] * 4)
        expect(queue, tmp_path / "none", [False])
        expect(queue, tmp_path / "all", [True])

    @of("result")
    def test_who_takes_a_result_reads_what_the_task_wrote(self, queue: QueueUnderTest, tmp_path: Path) -> None:
        with pindb.pinning_context():
            reader = queue.send([report(tmp_path / "runs")])
            writer = queue.send([PIN, report(tmp_path / "runs")])
            expect(queue, tmp_path / "runs", [False, True])
            queue.take(reader)
            assert not pindb.is_pinned(DB_SET)
            queue.take(writer)
            assert pindb.get_newly_pinned() == {DB_SET}

    @of("garbage")
    @pytest.mark.parametrize("pins", ["x", "99;whatever"], ids=["garbage", "newer version"])
    def test_pins_that_cannot_be_read_mean_masters(self, queue: QueueUnderTest, tmp_path: Path, pins: str) -> None:
        queue.send_carrying([report(tmp_path / "seen")], pins)
        queue.send_carrying([report(tmp_path / "fine")], NOTHING_PINNED)
        expect(queue, tmp_path / "seen", [True])
        expect(queue, tmp_path / "fine", [False])

    @of("missing")
    def test_a_message_without_pins_follows_the_setting(self, queue: QueueUnderTest, tmp_path: Path) -> None:
        queue.send_carrying([report(tmp_path / "seen")], None)
        expect(queue, tmp_path / "seen", [queue.missing_header == "master"])
