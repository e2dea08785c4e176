"""The servers, started once for all guides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guides.site import Site
from tests.servers import PostgresCluster, Valkey


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    folder = Path(__file__).parent
    projects = sorted(".".join(path.parent.relative_to(folder).parts) for path in folder.glob("*/*/settings.py"))
    with PostgresCluster(standbys=1) as cluster, Valkey() as valkey:
        yield Site(cluster, valkey, projects)
