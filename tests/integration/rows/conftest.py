"""The library on SQLite files and on PostgreSQL's standbys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

import pindb
from pindb.servers import health
from tests.servers import PostgresCluster


@pytest.fixture(scope="package")
def library() -> Iterator[Any]:
    """The module `library`, while its models' app is installed."""
    apps = [*settings.INSTALLED_APPS, "django.contrib.contenttypes", "tests.integration.rows.apps.Rows"]
    with override_settings(INSTALLED_APPS=apps):
        from tests.integration.rows import library

        yield library


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def servers(request: pytest.FixtureRequest, library: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Where the library lies, with its tables."""
    if request.param == "sqlite":
        files = library.Files(tmp_path_factory.mktemp("library"))
        with library.installed(files):
            library.create_tables()
        yield files
        return
    with PostgresCluster(standbys=2) as cluster:
        cluster.create_database("library")
        cluster.wait_until_replayed()
        standbys = library.Standbys(cluster)
        with library.installed(standbys):
            library.create_tables()
        yield standbys


@pytest.fixture
def stocked(servers: Any, library: Any) -> Iterator[Any]:
    """The DB set "library", its replicas in step; rows are as `stock()` leaves them."""
    from django.contrib.contenttypes.models import ContentType

    health.forget()
    ContentType.objects.clear_cache()
    with library.installed(servers), pindb.pinning_context():
        servers.replicate()
        library.stock()
        servers.replicate()
        yield servers
        servers.replicate()
