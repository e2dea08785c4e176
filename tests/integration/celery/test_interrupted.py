"""Tasks that are revoked or run out of time, in pools that interrupt them without killing a process."""

from __future__ import annotations

import pytest

import pindb
from tests.integration.celery.combinations import parameters
from tests.integration.celery.conftest import Surroundings
from tests.unit.pindb_celery.apps import taken

BOTH = ["audit", "default"]
PREFORK = parameters(lambda each: str(each) in {"valkey-redis-prefork", "rabbitmq-rpc-prefork"})
GREENLETS = parameters(lambda each: each.pool in {"gevent", "eventlet"})
GEVENT = parameters(lambda each: each.pool == "gevent")


@pytest.mark.parametrize("paths", PREFORK + GREENLETS, indirect=True)
@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL"])
def test_a_revoked_task_leaves_nothing_in_its_pool(paths: Surroundings, key: str, signal: str) -> None:
    result = paths.task("hangs", key).delay()
    paths.noted(key)
    paths.app.control.revoke(result.id, terminate=True, signal=signal)
    for _ in range(8):
        assert taken(paths.task("where").delay())["pinned"] == []


@pytest.mark.parametrize("paths", PREFORK, indirect=True)
def test_a_task_revoked_before_its_start_disturbs_no_other(paths: Surroundings) -> None:
    pindb.pin("default")
    result = paths.task("writes", "audit").apply_async(countdown=60)
    paths.app.control.revoke(result.id)
    assert taken(paths.task("where").delay())["pinned"] == ["default"]


@pytest.mark.parametrize("paths", GEVENT, indirect=True)
@pytest.mark.parametrize("errback", ["errback_old", "errback_new"])
def test_the_errback_of_a_greenlet_out_of_time_has_its_tasks_pins_and_reads_masters(
    paths: Surroundings, errback: str
) -> None:
    """It is published after the task's unit of work has closed."""
    pindb.pin("default")
    result = paths.task("hits_hard_limit").apply_async(link_error=paths.task(errback, immutable=False))
    for note in paths.noted(f"errback {result.id}"):
        assert note["pinned"] == BOTH
