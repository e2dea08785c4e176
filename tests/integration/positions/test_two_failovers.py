"""Two failovers in a row: positions of the first and of the second master are looked for in the log of the third."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pindb.servers.position_cache import position_cache
from tests.servers import PostgresCluster, wait_until

from .conftest import Start
from .goods import databases, prepare, read_from, received, settings, written


@pytest.fixture
def servers(start: Start) -> Iterator[Any]:
    """A master with three replicas."""
    with start(standbys=3) as cluster:
        prepare(cluster)
        if isinstance(cluster, PostgresCluster):
            cluster.master.execute("GRANT pg_read_all_stats TO shop")
        yield cluster


def wait_until_seen(name: str, *servers: Any) -> None:
    question = f"SELECT count(*) FROM shop_customer WHERE name = '{name}'"
    for server in servers:
        wait_until(lambda server=server: server.execute(question, database="goods") == [(1,)], 30, f"{name}: {server}")


def place_of(message: Any, name: str) -> tuple[str, bool]:
    with received(message):
        return read_from(name)


def test_what_the_first_and_the_second_master_wrote_is_read_on_a_replica_of_the_third(servers: Any) -> None:
    first = servers.master
    second, third, replica = servers.standbys
    with databases(*map(settings, (first, *servers.standbys))):
        of_first = written("of the first")
        wait_until_seen("of the first", *servers.standbys)
    first.process.kill()
    second.promote()
    for server in (third, replica):
        server.follow(second)
    with databases(*map(settings, (second, third, replica))):
        of_second = written("of the second")
        wait_until_seen("of the second", third, replica)
    second.process.kill()
    third.promote()
    replica.follow(third)
    with databases(settings(third)):
        written("of the third")
        wait_until_seen("of the third", replica)
    position_cache.forget()  # as in a process that was started after it
    with databases(settings(third), settings(replica)):
        for message, name in ((of_first, "of the first"), (of_second, "of the second")):
            wait_until(lambda message=message, name=name: place_of(message, name) == ("goods-1", True), 10, name)
        replica.pause_replay()
        newest = written("newest")
        for _ in range(3):
            assert place_of(newest, "newest") == ("goods", True)
            assert place_of(of_second, "of the second") == ("goods-1", True)
