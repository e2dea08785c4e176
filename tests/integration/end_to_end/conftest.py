"""Real servers for the module: a PostgreSQL master with two lagging standbys, and Valkey."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demo.processes import prepare
from tests.servers import PostgresCluster, Valkey


@pytest.fixture(scope="package")
def cluster() -> Iterator[PostgresCluster]:
    with PostgresCluster(standbys=2) as started:
        prepare(started)
        yield started


@pytest.fixture(scope="package")
def valkey() -> Iterator[Valkey]:
    with Valkey() as started:
        yield started
