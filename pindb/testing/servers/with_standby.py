"""`PostgreSQL`: a master with standbys whose replay a test controls, for the test suites of users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings as django_settings
from django.db import connections

from pindb.config.database_sets import current_config
from pindb.core.transactions import TESTCASE, outermost_block
from pindb.exceptions import PinDbConfigError
from pindb.testing.servers.cluster import PostgresCluster

CONFTEST: Final = """\
    @pytest.fixture(scope="session")
    def django_db_setup(pindb_servers, django_db_setup):
        pindb_servers.catch_up()"""
MARK: Final = '@pytest.mark.django_db(transaction=True, databases="__all__")'


class PostgreSQL:
    """A master and its replicas, real servers: what is committed on the master reaches the replicas by streaming."""

    def __init__(self, cluster: PostgresCluster, database: str) -> None:
        self._cluster: Final = cluster
        self._delay = 0.0
        self.master: Final[dict[str, Any]] = cluster.master.settings(database)
        """The master's entry for `DATABASES`."""
        self.replicas: Final[list[dict[str, Any]]] = [each.settings(database) for each in cluster.standbys]
        """The replicas' entries for `DATABASES`."""

    def pause(self) -> None:
        """Have the replicas apply all that is committed now, and nothing from here on."""
        self.catch_up()
        for standby in self._cluster.standbys:
            standby.pause_replay()

    def resume(self) -> None:
        """Have the replicas apply again what the master sends."""
        for standby in self._cluster.standbys:
            standby.resume_replay()

    def set_delay(self, seconds: float) -> None:
        """Have the replicas apply each commit so many seconds after it was made."""
        self._cluster.set_lag(seconds)
        self._delay = seconds

    def catch_up(self, timeout: float = 30.0) -> None:
        """Have the replicas apply all that is committed now, paused or not, without the delay.

        The delay holds again for later commits, the pause does not. Raises `TimeoutError` after `timeout` seconds, with
        the position of each server.
        """
        self._cluster.set_lag(0)
        self.resume()
        self._cluster.wait_until_replayed(timeout)
        self._cluster.set_lag(self._delay)


@contextmanager
def postgresql_with_standby(replicas: int = 1, delay: float = 0.0, database: str = "pindb") -> Iterator[PostgreSQL]:
    """Run a master and so many replicas, `delay` seconds behind it, with an empty database.

        with postgresql_with_standby(replicas=1, delay=2.0) as servers:
            DATABASES = {"default": servers.master, "default-1": servers.replicas[0]}

    Raises `RuntimeError` if there is no PostgreSQL to run.
    """
    with PostgresCluster(standbys=replicas) as cluster:
        cluster.create_database(database)
        cluster.wait_until_replayed()
        servers = PostgreSQL(cluster, database)
        servers.set_delay(delay)
        yield servers


@contextmanager
def postgresql_for_django() -> Iterator[PostgreSQL]:
    """Run a master and replicas, and have the connections of the project's DB sets go to them.

    Enter it before the test databases are made. Each DB set is a database of its own on the same servers. The settings
    ENGINE, NAME, USER, PASSWORD, HOST, PORT and OPTIONS of its aliases are replaced, and come back at the end.

    Raises `PinDbConfigError` if there are no replicas, and if the test databases are made already.
    """
    sets = list(current_config().sets.values())
    if not any(each.replicas for each in sets):
        raise PinDbConfigError("DATABASE_SETS has no replica, so there is nothing to run.", "Add one to a DB set.")
    for each in sets:
        if _is_test_database(each.name):
            raise PinDbConfigError(
                f"The test database of {each.name!r} was made before the servers were started.",
                f"Have them started first; with pytest-django, write into conftest.py:\n\n{CONFTEST}",
            )
    with postgresql_with_standby(max(len(each.replicas) for each in sets)) as servers:
        before: dict[str, dict[str, Any]] = {}
        for each in sets:
            for alias in {*each.masters.values()}:
                before[alias] = _go_to(alias, {**servers.master, "NAME": each.name})
            for alias, entry in zip(each.replicas, servers.replicas, strict=False):
                before[alias] = _go_to(alias, {**entry, "NAME": each.name})
        try:
            yield servers
        finally:
            for alias, settings in before.items():
                _go_to(alias, settings)


def check_test_databases() -> None:
    """Raise `PinDbConfigError` if what a test writes does not reach the replicas of `postgresql_for_django()`."""
    for each in current_config().sets.values():
        connection = connections[each.name]
        if connection.settings_dict["NAME"] == each.name:
            raise PinDbConfigError(f"There is no test database for {each.name!r} yet.", f"Write above the test: {MARK}")
        if outermost_block(connection) is TESTCASE:
            raise PinDbConfigError(
                f"The test runs in a transaction on {each.name!r}, so nothing that it writes reaches a replica.",
                f"Write above it: {MARK}",
            )


def _go_to(alias: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Have the connections `alias` of all threads use `settings`; return what they had used instead."""
    connection = connections[alias]
    connection.close()
    before = {name: connection.settings_dict[name] for name in ("ENGINE", "OPTIONS", *settings)}
    connection.settings_dict.update({"OPTIONS": {}, **settings})
    if before["ENGINE"] != connection.settings_dict["ENGINE"]:
        del connections[alias]
    return before


def _is_test_database(db_set: str) -> bool:
    """Return whether Django has replaced the name in the settings by that of a test database."""
    settings = connections[db_set].settings_dict
    name = str(settings["NAME"])
    in_settings = str(django_settings.MASTER_DATABASES[db_set].get("NAME"))
    return name != in_settings and (name == settings["TEST"]["NAME"] or name.startswith(("test_", "file:memorydb_")))
