"""What each queue holds to on real servers: the standby has "Ada", and nothing that was written since."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pindb
from pindb.adapters import open_message
from pindb.testing.queues import QueueUnderTest
from tests.servers import Kept
from tests.shop.models import Customer

MASTER, REPLICA = "default", "default-1"


class RunningQueue(QueueUnderTest):
    """A queue with a worker that runs already."""

    worker: Kept

    def work(self, until: Callable[[], bool]) -> None:
        def done() -> bool:
            ended = self.worker.returncode
            assert ended is None, f"The worker has ended, with {ended}."
            return until()

        super().work(done)


def looks(queue: QueueUnderTest, path: Path, count: int) -> list[Any]:
    """Return what `count` tasks have found."""
    queue.work(lambda: path.exists() and len(path.read_text().splitlines()) >= count)
    return [json.loads(line) for line in path.read_text().splitlines()]


def expect_pinned_in_an_hour(pins: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Assert that a message with these pins pins "default" although its worker starts it an hour late."""
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + 3600)
        with open_message(pins):
            assert pindb.is_pinned("default")


class ReadYourWrites:
    """Tests beside those of the conformance kit."""

    def test_of_twenty_tasks_after_a_write_none_is_stale_and_twenty_others_read_the_replica(
        self, queue: QueueUnderTest, tmp_path: Path
    ) -> None:
        for _ in range(20):
            with pindb.pinning_context():
                customer = Customer.objects.create(name=str(uuid.uuid4()))
                queue.send([["look", str(tmp_path / "after"), customer.name]])
            with pindb.pinning_context():
                queue.send([["look", str(tmp_path / "other"), "Ada"]])
        assert looks(queue, tmp_path / "after", 20) == [[True, MASTER]] * 20
        assert looks(queue, tmp_path / "other", 20) == [[True, REPLICA]] * 20

    def test_a_task_of_a_task_reads_what_it_wrote_and_the_worker_forgets_it(
        self, queue: QueueUnderTest, tmp_path: Path
    ) -> None:
        name = str(uuid.uuid4())
        queue.send([["write", name], ["send", [["look", str(tmp_path / "child"), name]]]])
        queue.send([["look", str(tmp_path / "next"), "Ada"]])
        assert looks(queue, tmp_path / "child", 1) == [[True, MASTER]]
        assert looks(queue, tmp_path / "next", 1) == [[True, REPLICA]]
