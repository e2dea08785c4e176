"""PgBouncer in front of the master and of each replica, a database of the pooler for each: nothing is stale."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from django.test import override_settings

from tests.servers import PostgresCluster, wait_until
from tests.servers.pgbouncer import MISSING, PgBouncer, program
from tests.services import missing

from .goods import Cluster, databases, in_thread, pause, positions_in, read_from, received, resume, written

REPLICAS = {"goods-1", "goods-2"}


@pytest.fixture(params=["session", "transaction"])
def pooled(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Cluster]:
    """The DB set on the cluster, through PgBouncer in one of its modes."""
    if not isinstance(cluster, PostgresCluster):
        pytest.skip("PgBouncer speaks PostgreSQL")
    if program() is None:
        missing(MISSING)
    servers = dict(zip(("shop", "shop-1", "shop-2"), (cluster.master, *cluster.standbys), strict=True))
    with (
        PgBouncer(servers, database="goods", user="shop", pool_mode=request.param) as pooler,
        databases(*map(pooler.settings, servers)),
    ):
        yield cluster


@pytest.fixture
def name() -> str:
    """The name of a row that no other test writes."""
    return uuid.uuid4().hex


def test_a_task_reads_the_master_until_a_replica_has_what_its_caller_wrote(pooled: Cluster, name: str) -> None:
    pause(pooled)
    message = written(name)
    assert positions_in(message)
    with received(message):
        assert read_from(name) == ("goods", True)
    resume(pooled)
    pooled.wait_until_replayed()
    with received(message):
        place, found = read_from(name)
    assert place in REPLICAS
    assert found


@override_settings(PINDB_CONSISTENCY="time")
def test_in_time_mode_a_task_reads_the_master_as_long_as_the_pin_lasts(pooled: Cluster, name: str) -> None:
    message = written(name)
    with received(message):
        assert read_from(name) == ("goods", True)
    with received(None):
        assert read_from(name)[0] in REPLICAS


def test_no_task_of_many_is_stale_while_replicas_are_a_little_behind(pooled: Cluster, name: str) -> None:
    """The connections of PgBouncer to the servers are older than the tasks, and go from one task to the next."""
    for standby in pooled.standbys:
        standby.set_lag(0.02)
    places = set()
    try:
        for number in range(20):
            message = written(f"{name} {number}")

            def task(row: str = f"{name} {number}", message: object = message) -> tuple[str, bool]:
                with received(message):
                    return read_from(row)

            place, found = in_thread(task)
            assert found, f"{place} has no row {number}"
            places.add(place)
            wait_until(lambda: REPLICAS & {in_thread(task)[0]}, 10, "a replica is read")
    finally:
        for standby in pooled.standbys:
            standby.set_lag(0)
    assert "goods" in places
