"""A DB set "shop" on real servers, a clock that tests move, and a count of what replicas are asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pindb.servers import health, probe
from tests.integration.health.losses import stock
from tests.integration.health.shop import Clock, Probes, installed, until_no_probe_is_under_way, waits
from tests.servers import PostgresCluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgresCluster]:
    """Two standbys, shared by the tests that leave them as they were."""
    with PostgresCluster(standbys=2) as running:
        running.create_database("shop")
        yield running


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    health.forget()
    yield
    health.forget()
    until_no_probe_is_under_way()


@pytest.fixture(autouse=True)
def _waits_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Event, "wait", lambda event, timeout=None: waits.wait(event, timeout))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which health is asked; it stands still."""
    clock = Clock()
    monkeypatch.setattr(health, "clock", clock)
    return clock


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Probes:
    """The probes that are made from now on."""
    counter = Probes(probe.ask)
    monkeypatch.setattr(probe, "ask", counter)
    return counter


@pytest.fixture
def shop(cluster: PostgresCluster, clock: Clock) -> Iterator[PostgresCluster]:
    """The shared cluster as the DB set "shop", without lag."""
    with installed(cluster):
        yield cluster
    for standby in cluster.standbys:
        standby.resume_replay()
    cluster.set_lag(0)
    cluster.wait_until_replayed()


@pytest.fixture(scope="module")
def conflicting_cluster() -> Iterator[PostgresCluster]:
    """One standby, which cancels at once what stands in the way of replication."""
    with PostgresCluster(standbys=1) as running:
        running.create_database("shop")
        running.standbys[0].execute("ALTER SYSTEM SET max_standby_streaming_delay = 0")
        running.standbys[0].execute("SELECT pg_reload_conf()")
        yield running


@pytest.fixture
def stocked(conflicting_cluster: PostgresCluster, clock: Clock) -> Iterator[PostgresCluster]:
    """The DB set "shop" with that standby and three orders; this unit of work has read on the standby."""
    with installed(conflicting_cluster):
        stock(conflicting_cluster)
        yield conflicting_cluster
