"""Runs the contenders one after the other, each at all lags, on the same servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tests.compare.brokers import BROKERS
from tests.compare.contenders import CONTENDERS
from tests.compare.figures import Cell, figures
from tests.demo.processes import environment, running_shop
from tests.demo.queues import QUEUES
from tests.demo.rounds import send
from tests.servers import PostgresCluster, Valkey

WARM_UP = 4

Report = Callable[[str, float], Callable[[int, int], None]]
"""Takes a contender's title and the lag; returns what is told how many requests are done, of how many."""


def compare(
    cluster: PostgresCluster,
    valkey: Valkey,
    *,
    contenders: Sequence[str],
    lags: Sequence[float],
    tasks: int,
    queue: str = "celery",
    broker: str = "redis",
    report: Report = lambda _title, _lag: lambda _done, _of: None,
) -> Iterator[Cell]:
    """Produce the figures of each contender at each lag; the cluster has been through `prepare`."""
    used = QUEUES[queue]
    results = valkey.url(1)
    for name in contenders:
        contender = CONTENDERS[name]
        with BROKERS[broker](valkey) as shop:
            shop |= {"queue": queue, "result_backend": results, **contender.shop}
            env = environment(cluster, routing=contender.routing, **shop)
            _set_lag(cluster, 0)
            with running_shop(env, used, pool=used.pool) as url:
                # Each process opens its connections, to the databases and to the broker, before anything is measured.
                for ids in send(url, cluster, WARM_UP, lambda _done, _of: None):
                    used.results(results, ids)
                for lag in lags:
                    _set_lag(cluster, lag)
                    sent = send(url, cluster, tasks, report(contender.title, lag))
                    after_write, reports = (used.results(results, ids) for ids in sent)
                    yield Cell(name, lag, figures(after_write), figures(after_write + reports))


def _set_lag(cluster: PostgresCluster, lag: float) -> None:
    """Set the lag of all standbys once they are idle: a commit waits out the lag that it met."""
    cluster.wait_until_replayed()
    cluster.set_lag(lag)
