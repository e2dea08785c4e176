"""Real servers for the contract of positions: PostgreSQL, MariaDB and MySQL, a master with two replicas each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pymysql
import pytest

from pindb.once import Once
from pindb.servers import positions
from pindb.servers.position_cache import position_cache
from tests.services import cluster_of

from .goods import Cluster, databases, prepare, settings

# Django's MySQL backend with a driver that needs no compiler.
pymysql.install_as_MySQLdb()

Start = Callable[..., Cluster]


@pytest.fixture(scope="session", params=["postgresql", "mariadb", "mysql"])
def start(request: pytest.FixtureRequest) -> Start:
    """Return what makes a cluster of this vendor, to be entered: of two replicas, or more."""
    vendor: str = request.param
    cluster_of(vendor)  # or the test is skipped
    return lambda standbys=2: cluster_of(vendor, standbys)


@pytest.fixture(scope="session")
def shared_cluster(start: Start) -> Iterator[Cluster]:
    with start() as cluster:
        prepare(cluster)
        yield cluster


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """A cluster whose replicas are in step when the test begins."""
    yield shared_cluster
    for standby in shared_cluster.standbys:
        standby.resume_replay()
    shared_cluster.wait_until_replayed()


@pytest.fixture
def goods(cluster: Cluster) -> Iterator[Cluster]:
    """The DB set "goods" on the cluster, in position mode."""
    with databases(*(settings(server) for server in (cluster.master, *cluster.standbys))):
        yield cluster


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a process has learned and said is forgotten."""
    monkeypatch.setattr(positions, "_reported", Once())
    position_cache.forget()
    yield
    position_cache.forget()
