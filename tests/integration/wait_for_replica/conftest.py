"""A master with two standbys, in position mode, for this process and for workers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pymysql
import pytest

from pindb.once import Once
from pindb.servers import positions
from pindb.servers.position_cache import position_cache
from tests.integration.positions.goods import Cluster, databases, prepare, settings
from tests.servers import Valkey
from tests.services import cluster_of

pymysql.install_as_MySQLdb()


@pytest.fixture(scope="session")
def clusters() -> Iterator[Callable[[str], Cluster]]:
    """Return what starts the cluster of a vendor, once."""
    with ExitStack() as stack:

        @cache
        def started(vendor: str) -> Cluster:
            cluster: Cluster = stack.enter_context(cluster_of(vendor))
            prepare(cluster)
            return cluster

        yield started


@pytest.fixture(scope="session")
def shared_cluster(clusters: Callable[[str], Cluster]) -> Cluster:
    return clusters("postgresql")


@pytest.fixture
def goods(shared_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The DB set "goods", in position mode, whose replicas are in step when the test begins."""
    monkeypatch.setattr(positions, "_reported", Once())
    position_cache.forget()
    servers = (shared_cluster.master, *shared_cluster.standbys)
    with databases(*map(settings, servers)):
        yield shared_cluster
    position_cache.forget()
    for standby in shared_cluster.standbys:
        standby.resume_replay()
    shared_cluster.wait_until_replayed()


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with Valkey() as started:
        yield started


def shop_settings(cluster: Cluster) -> dict[str, str]:
    """Return the environment in which a worker of the shop has the DB set "goods" on `cluster`, in position mode."""
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    master, *standbys = map(settings, (cluster.master, *cluster.standbys))
    options = {
        "PINDB_CONSISTENCY": "position",
        "PINDB_DELEGATE_ROUTERS": ["tests.integration.positions.goods.ToGoods"],
        "CONN_MAX_AGE": None,
    }
    return {
        "SHOP_MASTERS": json.dumps({"default": sqlite, "goods": master}),
        "SHOP_SETS": json.dumps({"default": [], "goods": standbys}),
        "SHOP_PINDB": json.dumps(options),
    }
