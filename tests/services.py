"""Services that have to be installed: where they are missing, tests are skipped at home and fail in CI."""

from __future__ import annotations

import os
from functools import cache
from typing import NoReturn

import kombu
import pytest

from tests.servers import PostgresCluster, RabbitMQ, mariadb, mysql_install
from tests.servers.binaries import rabbitmq_bin
from tests.servers.mariadb import MariaDBCluster
from tests.servers.mysql import MySQLCluster

Cluster = PostgresCluster | MariaDBCluster | MySQLCluster

AMQP = os.environ.get("PINDB_TEST_AMQP", "amqp://guest:guest@127.0.0.1:5672//")


@cache
def _rabbitmq_answers() -> bool:
    try:
        with kombu.Connection(AMQP, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1)
    except OSError:
        return False
    return True


def rabbitmq() -> str:
    """Return the URL of a RabbitMQ that answers; whoever uses it deletes the queues it made."""
    if not _rabbitmq_answers():
        missing(f"No RabbitMQ answers at {AMQP}: start one, or set PINDB_TEST_AMQP.")
    return AMQP


def own_rabbitmq() -> RabbitMQ:
    """Return a RabbitMQ of the test's own, to be entered."""
    try:
        rabbitmq_bin()
    except RuntimeError as error:
        missing(str(error))
    return RabbitMQ()


def cluster_of(vendor: str, standbys: int = 2) -> Cluster:
    """Return a cluster of "postgresql", "mariadb" or "mysql", to be entered."""
    if vendor == "postgresql":
        return PostgresCluster(standbys=standbys)
    if vendor == "mysql":
        return mysql(standbys)
    if not mariadb.is_installed():
        missing("MariaDB is not installed.")
    return MariaDBCluster(standbys=standbys)


def mysql(standbys: int = 2) -> MySQLCluster:
    """Return a MySQL cluster, to be entered. Where the server is missing the test is skipped, in CI as well.

    The archive that it comes from is a moving one: `.ci/run` says in its summary if it could not be had.
    """
    if mysql_install.installed() is None:
        pytest.skip(mysql_install.MISSING, allow_module_level=True)
    return MySQLCluster(standbys=standbys)


def missing(what: str) -> NoReturn:
    """Skip the test, or the module that is being imported, for want of a service; fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what, allow_module_level=True)
