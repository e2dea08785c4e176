"""Real servers for what is noted of statements: PostgreSQL, MariaDB and MySQL, a master each."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest
from django.db import connections

from tests.integration.positions.goods import Cluster, databases, drop_connections, settings
from tests.servers import PostgresCluster
from tests.servers.mysql import MySQLCluster
from tests.services import cluster_of
from tests.shop.models import Customer, Order

# Django's MySQL backend with a driver that needs no compiler.
pymysql.install_as_MySQLdb()


@pytest.fixture(scope="session", params=["postgresql", "mariadb", "mysql"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with cluster_of(request.param, standbys=0) as made:
        made.create_database("goods")
        if isinstance(made, PostgresCluster):
            made.master.execute("CREATE ROLE shop LOGIN")
            made.master.execute("ALTER DATABASE goods OWNER TO shop")
        with databases(settings(made.master)), connections["goods"].schema_editor() as editor:
            editor.create_model(Customer)
            editor.create_model(Order)
        yield made


@pytest.fixture(params=["time", "position"])
def goods(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """The DB set "goods", with a customer whose name is Ada; what the vendor is called."""
    entry = settings(cluster.master)
    # The "replica" is the master itself: nothing is read here.
    with databases(entry, entry, PINDB_CONSISTENCY=request.param):
        drop_connections()
        clear(cluster)
        yield connections["goods"].vendor


@pytest.fixture
def postgresql(goods: str) -> None:
    if goods != "postgresql":
        pytest.skip("PostgreSQL")


@pytest.fixture
def mysql_or_mariadb(goods: str) -> None:
    if goods != "mysql":
        pytest.skip("MySQL and MariaDB")


@pytest.fixture
def mariadb(mysql_or_mariadb: None, cluster: Cluster) -> None:
    if isinstance(cluster, MySQLCluster):
        pytest.skip("MariaDB")


def clear(cluster: Cluster) -> None:
    for statement in ("DELETE FROM shop_order", "DELETE FROM shop_customer", ADA):
        cluster.master.execute(statement, database="goods")


ADA = "INSERT INTO shop_customer (id, name) VALUES (1000, 'Ada')"
