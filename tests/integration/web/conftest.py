"""One browser for the module, and one site: on SQLite files, or on a PostgreSQL master with a standby."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from pindb.once import Once
from pindb.servers import positions
from pindb.servers.position_cache import position_cache
from pindb.web import overflow
from tests.integration.positions.goods import databases, prepare, settings
from tests.servers import PostgresCluster

from .browser import Browser, driver_process, started_browser
from .site import HOSTS, TIMEOUT, Site, late_answers, serving


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    with driver_process() as address, started_browser(address) as browser:
        yield browser


@pytest.fixture
def browser(started: Browser, served: Site) -> Browser:
    """The browser, without tabs and cookies of the test before."""
    started.forget([served.url("/", host=host) for host in HOSTS])
    return started


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def site(served: Site) -> Iterator[Site]:
    """The site, whose held answers go out in the end, however the test ends."""
    yield served
    for late in late_answers.values():
        late.let_go()
    late_answers.clear()


@pytest.fixture
def timed(shop_tables: None) -> Iterator[None]:
    """The DB sets "default" and "audit" in time mode. Their replicas never catch up, and no pin lapses meanwhile."""
    with override_settings(PINDB_PINNING_SECONDS=600):
        yield


@pytest.fixture(scope="module")
def shared_cluster(started: Browser) -> Iterator[PostgresCluster]:
    with PostgresCluster(standbys=1) as cluster:
        prepare(cluster)
        yield cluster


@pytest.fixture
def goods(shared_cluster: PostgresCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresCluster]:
    """The DB set "goods" in position mode, whose replica is in step when the test begins."""
    monkeypatch.setattr(positions, "_reported", Once())
    monkeypatch.setattr(overflow, "_answered", {})
    monkeypatch.setattr(overflow, "SECONDS", TIMEOUT)  # a busy machine may need long for the requests of one test
    position_cache.forget()
    with databases(*map(settings, (shared_cluster.master, *shared_cluster.standbys))):
        yield shared_cluster
    position_cache.forget()
    shared_cluster.standbys[0].resume_replay()
    shared_cluster.wait_until_replayed()
