"""The race that pindb is for: a task enqueued right after a write, on real standbys and a real worker process."""

from __future__ import annotations

import json

import pytest

from tests.demo.rounds import RoundResult, reads_on_master, reads_on_replicas, run_round
from tests.servers import PostgresCluster, Valkey

LAG_SECONDS = 2.0


WORKERS = [("celery", "prefork"), ("celery", "threads"), ("dramatiq", "threads"), ("dramatiq", "gevent")]


def run(
    routing: str,
    cluster: PostgresCluster,
    valkey: Valkey,
    *,
    queue: str,
    tasks: int,
    pool: str | None = None,
    lag: float = LAG_SECONDS,
    **shop: str,
) -> RoundResult:
    cluster.wait_until_replayed()
    cluster.set_lag(lag)
    valkey.flush()
    try:
        return run_round(
            routing,
            cluster,
            broker_url=valkey.url(0),
            result_backend=valkey.url(1),
            queue=queue,
            tasks=tasks,
            pool=pool,
            **shop,
        )
    finally:
        cluster.set_lag(0)


@pytest.mark.parametrize(("queue", "pool"), WORKERS)
def test_no_task_of_200_misses_its_callers_write_and_every_other_one_reads_a_replica(
    queue: str, pool: str, cluster: PostgresCluster, valkey: Valkey
) -> None:
    result = run("pindb", cluster, valkey, queue=queue, tasks=200, pool=pool)
    assert len(result.after_write) == len(result.reports) == 200
    assert result.stale == 0
    assert reads_on_master(result.reports) == 0
    assert reads_on_replicas(result.reports) == 200
    assert {alias for seen in result.reports for alias in seen["reads"]} == {"default-1", "default-2"}


@pytest.mark.parametrize("queue", ["celery", "dramatiq"])
@pytest.mark.parametrize("lag", [LAG_SECONDS, 0])
def test_in_position_mode_tasks_read_a_replica_as_soon_as_it_will_do_and_however_long_it_takes(
    lag: float, queue: str, cluster: PostgresCluster, valkey: Valkey
) -> None:
    """Pins of a tenth of a second: no task that the standbys are too late for would be saved by those."""
    settings = json.dumps({"PINDB_CONSISTENCY": "position", "PINDB_PINNING_SECONDS": 0.1})
    result = run("pindb", cluster, valkey, queue=queue, tasks=60, lag=lag, pindb=settings)
    assert result.stale == 0
    assert reads_on_master(result.reports) == 0
    if lag < LAG_SECONDS:
        assert reads_on_replicas(result.after_write) > 0


@pytest.mark.parametrize("queue", ["celery", "dramatiq"])
@pytest.mark.parametrize("routing", ["plain", "0.1.12"])
def test_without_pindb_the_same_tasks_read_nothing_or_old_data(
    routing: str, queue: str, cluster: PostgresCluster, valkey: Valkey
) -> None:
    """What the test above proves is worth something only if its tasks do race with the standby."""
    result = run(routing, cluster, valkey, queue=queue, tasks=10, lag=3 * LAG_SECONDS)
    assert result.read_nothing == 5
    assert result.read_old == 5
