"""A worker that ends as a whole: killed, and what it had not acknowledged is delivered again; or told to stop."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import pindb
from tests.integration.celery.combinations import Combination
from tests.integration.celery.conftest import Start
from tests.servers import wait_until


@pytest.mark.parametrize(
    "combination", [Combination("rabbitmq", "rpc", "prefork"), Combination("valkey", "redis", "prefork")], ids=str
)
def test_a_task_whose_whole_worker_is_killed_is_redelivered_with_its_pins(
    start: Start, combination: Combination, tmp_path: Path, key: str
) -> None:
    # Redis' transport looks for what was delivered longer ago than this as it connects, and every 100 s: so it is the
    # second worker's start that finds ours.
    with start(combination, broker_transport_options={"visibility_timeout": 0.1}) as mortal:
        pindb.pin("default")
        mortal.task("outlives_its_worker", str(tmp_path / "marker"), key).delay()
        mortal.noted(key)
        mortal.setup.worker.kill()
        mortal.setup.worker.container.restart()
        first, second, *_ = mortal.noted(key, count=2)
    assert first["pinned"] == second["pinned"] == ["default"]


def test_what_follows_a_task_that_a_warm_shutdown_waits_for_reads_its_writes(
    start: Start, tmp_path: Path, key: str
) -> None:
    """The task may run twice: a worker that is about to stop may not acknowledge it any more."""
    with start(Combination("rabbitmq", "rpc", "prefork")) as stopping:
        worker, go_on, link = stopping.setup.worker, tmp_path / "go on", f"{key}-link"
        pindb.pin("default")
        stopping.task("is_held_up", str(go_on), key).apply_async(link=stopping.task("note", link))
        first, *_ = stopping.noted(key)
        os.kill(worker.container.pid, signal.SIGTERM)
        wait_until(lambda: "Warm shutdown" in worker.logs(), 60, worker.logs)
        go_on.touch()
        wait_until(lambda: worker.container.status == "exited", 60, worker.logs)
        worker.container.restart()
        followed, *_ = stopping.noted(link)
    assert first["pinned"] == ["default"]
    assert followed["pinned"] == ["audit", "default"]
