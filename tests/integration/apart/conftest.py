"""One master and one standby for all tests here. The standby has the tables and a few rows, then stands still."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

import pindb
from pindb.servers import health
from tests.integration.apart.place import ROUTERS, Place, create_tables, installed
from tests.servers import PostgresCluster


@pytest.fixture(scope="package")
def servers() -> Iterator[Place]:
    """The site, its apps installed once: some keep what they are set to when they are imported."""
    with PostgresCluster() as cluster:
        cluster.create_database("site")
        cluster.wait_until_replayed()
        place = Place(cluster)
        with installed(place):
            create_tables()
            with pindb.pinning_context(), pindb.master("default"):
                from tests.integration.apart import seeds

                seeds.sow()
            cluster.wait_until_replayed()
            cluster.standbys[0].pause_replay()
            yield place


@pytest.fixture(params=ROUTERS)
def router(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(servers: Place, router: str) -> Iterator[Place]:
    """The site under each router."""
    health.forget()
    with override_settings(DATABASE_ROUTERS=[f"pindb.{router}"]), pindb.pinning_context():
        yield servers
    health.forget()
