"""The pytest plugin: `pip install "pindb[pytest]"`, and the fixtures below are there.

Each test is a unit of work of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pindb.testing import Lag, RecordedDecisions
    from pindb.testing.servers import PostgreSQL


@pytest.fixture(autouse=True)
def _pindb_unit_of_work() -> Iterator[None]:
    from pindb.api.context_managers import pinning_context  # noqa: PLC0415 - not before coverage has started

    with pinning_context():
        yield


@pytest.fixture
def pindb_lag() -> Iterator[Lag]:
    """Have replicas lag from `pindb_lag.hold()` to `pindb_lag.release()`; a test that reads past a write fails.

    It needs no second server. Ask for it after the fixture that gives access to the database (`db`).
    """
    from pindb.testing.lag import Lag  # noqa: PLC0415

    with Lag() as lag:
        yield lag
    lag.check()


@pytest.fixture
def pindb_decisions() -> Iterator[RecordedDecisions]:
    """Record the decisions of the test: `pindb_decisions.assert_reads_master("default")`."""
    from pindb.routing.decision import listening  # noqa: PLC0415
    from pindb.testing.decisions import RecordedDecisions  # noqa: PLC0415

    decisions = RecordedDecisions()
    with listening(decisions.append):
        yield decisions


@pytest.fixture(scope="session")
def pindb_servers() -> Iterator[PostgreSQL]:
    """Run a PostgreSQL master and its standbys, to which the connections of the DB sets go (`pindb[servers]`).

    pytest-django has to ask for it before it makes the test databases: see docs/testing.md.
    """
    from pindb.testing.servers import postgresql_for_django  # noqa: PLC0415

    with postgresql_for_django() as servers:
        yield servers


@pytest.fixture
def pindb_standby(pindb_servers: PostgreSQL) -> Iterator[PostgreSQL]:
    """Give a test control of the standbys: `pause()`, `resume()`, `set_delay(seconds)` and `catch_up()`.

    They have caught up when the test begins. Ask for it after the fixture that gives access to the database.
    """
    from pindb.testing.servers.with_standby import check_test_databases  # noqa: PLC0415

    check_test_databases()
    pindb_servers.catch_up()
    yield pindb_servers
    pindb_servers.set_delay(0)
    pindb_servers.resume()
