"""MySQL and MariaDB replicas: refused, hanging, behind, not replicating, and a user who may not ask for the lag."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pymysql
import pytest

pymysql.version_info = (2, 2, 7, "final", 0)  # the API of mysqlclient that Django asks for
pymysql.install_as_MySQLdb()

from django.test import override_settings  # noqa: E402

from pindb.config.database_sets import current_config  # noqa: E402
from pindb.servers import health  # noqa: E402
from pindb.servers.vendors.base import Report  # noqa: E402
from tests.integration.health.shop import Clock, Probes, installed, reads, stopped, timed, write  # noqa: E402
from tests.integration.health.test_status import run, run_json  # noqa: E402
from tests.servers import wait_until  # noqa: E402
from tests.servers.mariadb import MariaDBCluster  # noqa: E402
from tests.servers.mysql import MySQLCluster  # noqa: E402
from tests.services import cluster_of  # noqa: E402

Cluster = MariaDBCluster | MySQLCluster


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def start(request: pytest.FixtureRequest) -> Callable[[], Cluster]:
    """Return what makes a cluster of this vendor, to be entered."""
    cluster_of(request.param)  # or the test is skipped
    return lambda: cluster_of(request.param)


@pytest.fixture(scope="module")
def cluster(start: Callable[[], Cluster]) -> Iterator[Cluster]:
    with start() as running:
        running.create_database("shop")
        running.wait_until_replayed()
        yield running


@pytest.fixture
def shop(cluster: Cluster, clock: Clock) -> Iterator[Cluster]:
    with installed(cluster, "shop"):
        yield cluster


@pytest.fixture
def allowed(shop: Cluster) -> Iterator[Cluster]:
    """A user who may ask for the lag."""
    shop.master.execute(f"GRANT {shop.lag_privilege} ON *.* TO 'shop'@'%'")
    shop.wait_until_replayed()
    # MySQL tells the lag of the last transaction until it has noticed that there is no other.
    wait_until(lambda: all(report(alias).lag == 0 for alias in ("shop-1", "shop-2")), 20, "no replica tells a lag")
    yield shop
    shop.master.execute(f"REVOKE {shop.lag_privilege} ON *.* FROM 'shop'@'%'")
    shop.wait_until_replayed()


def report(alias: str) -> Report:
    return health.probing(alias, "shop", current_config().settings, lag=True)()


def test_replicas_are_read_and_asked_once_per_period(shop: Cluster, clock: Clock, asked: Probes) -> None:
    for period in (1, 2):
        assert reads(20) == {"shop-1", "shop-2"}
        assert (asked.of("shop-1"), asked.of("shop-2")) == (period, period)
        clock.move(5.1)


def test_a_server_that_hangs_costs_a_second_once(shop: Cluster, clock: Clock, asked: Probes) -> None:
    (db_set,) = current_config().sets.values()
    assert health.can_be_read("shop-2", db_set)
    with stopped(shop.standbys[0]):
        taken = [timed(lambda: reads(1).pop()) for _ in range(10)]
    assert {alias for alias, _ in taken} == {"shop-2"}
    assert max(seconds for _, seconds in taken) < health.PROBE_TIMEOUT + 0.4
    assert sum(seconds > 0.5 for _, seconds in taken) == 1


def test_a_replica_that_does_not_replicate_is_passed_over(allowed: Cluster, clock: Clock) -> None:
    with override_settings(PINDB_MAX_LAG_SECONDS=2):
        assert reads() == {"shop-1", "shop-2"}
        assert report("shop-1").lag == 0
        assert report("shop-1").position
        allowed.standbys[0].pause_replay()
        try:
            clock.move(5.1)
            assert reads() == {"shop-2"}
            assert "not replicating" in run()[0]
        finally:
            allowed.standbys[0].resume_replay()


def test_a_replica_further_behind_than_allowed_is_passed_over(allowed: Cluster, clock: Clock) -> None:
    allowed.standbys[0].set_lag(3600)
    try:
        write()
        with override_settings(PINDB_MAX_LAG_SECONDS=1):
            wait_until(lambda: (report("shop-1").lag or 0) > 1, 20, "it is behind")
            assert reads() == {"shop-2"}
    finally:
        allowed.standbys[0].set_lag(0)
        allowed.wait_until_replayed()


def test_a_replica_is_as_late_as_the_latest_of_its_sources(allowed: Cluster) -> None:
    if isinstance(allowed, MariaDBCluster):
        pytest.skip("MariaDB shows its default connection")
    replica = allowed.standbys[0]
    assert report("shop-1").lag == 0
    replica.execute("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1' FOR CHANNEL 'second'")
    try:
        assert report("shop-1").lag is None, "the second one does not replicate"
    finally:
        replica.execute("RESET REPLICA ALL FOR CHANNEL 'second'")


def test_a_user_who_may_not_ask_for_the_lag_reads_the_master_and_is_told(
    shop: Cluster, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(PINDB_MAX_LAG_SECONDS=2):
        assert reads() == {"shop"}
        clock.move(60)
        assert reads() == {"shop"}
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert ("REPLICATION CLIENT privilege" if isinstance(shop, MySQLCluster) else "SLAVE MONITOR privilege") in warning


def test_the_status_knows_positions(allowed: Cluster) -> None:
    document, code = run_json()
    servers = document["sets"]["shop"]
    assert code == 0
    assert {server["position"] for server in (servers["master"], *servers["replicas"])} == {allowed.master.position()}


def test_a_replica_that_has_lost_its_master_is_not_0_s_behind(clock: Clock, start: Callable[[], Cluster]) -> None:
    with start() as cluster:
        cluster.create_database("shop")
        cluster.master.execute(f"GRANT {cluster.lag_privilege} ON *.* TO 'shop'@'%'")
        cluster.wait_until_replayed()
        with installed(cluster, "shop"):
            wait_until(lambda: report("shop-1").lag == 0, 20, "it is 0 s behind")
            cluster.master.process.kill()
            wait_until(lambda: report("shop-1").lag is None, 20, "it does not know how late it is")


def test_refused_and_promoted_are_passed_over(clock: Clock, start: Callable[[], Cluster]) -> None:
    with start() as cluster:
        cluster.create_database("shop")
        cluster.master.execute(f"GRANT {cluster.lag_privilege} ON *.* TO 'shop'@'%'")
        cluster.wait_until_replayed()
        with installed(cluster, "shop", PINDB_MAX_LAG_SECONDS=2):
            assert reads() == {"shop-1", "shop-2"}
            cluster.standbys[0].promote()
            clock.move(5.1)
            assert reads() == {"shop-2"}
            cluster.standbys[1].process.kill()
            assert reads() == {"shop"}
