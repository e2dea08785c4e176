"""After a failover, positions of before mean the master: with servers that are really promoted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pindb.servers.position_cache import position_cache
from tests.servers import PostgresCluster, wait_until
from tests.servers.mariadb import MariaDBCluster

from .conftest import Start
from .goods import Cluster, asking, databases, positions_in, prepare, publish, read_from, received, settings, written


@pytest.fixture
def fallen(start: Start) -> Iterator[Cluster]:
    """A cluster whose master is about to fall; its own process and configuration do not know yet."""
    with start() as cluster:
        prepare(cluster)
        yield cluster


def promote(cluster: Any, *, follow: bool) -> Any:
    """Promote the first standby; let the second one follow it, or leave it where it was. Returns the old position."""
    with databases(*map(settings, (cluster.master, *cluster.standbys))):
        old = written("before")
        cluster.wait_until_replayed()
        with received(old):
            assert read_from("before")[0] != "goods", "a replica has it, and this process knows"
    cluster.master.process.kill()
    new, other = cluster.standbys
    new.promote()
    if follow:
        other.follow(new)
    with databases(settings(new)):
        assert read_from("before")[1]
        written("after")
        if follow:
            question = "SELECT count(*) FROM shop_customer WHERE name = 'after'"
            wait_until(lambda: other.execute(question, database="goods") == [(1,)], 30, "the other one has followed")
    return old


@pytest.mark.parametrize("privilege", ["", "pg_read_all_stats"])
def test_an_old_position_means_the_master_until_it_lapses(fallen: Any, privilege: str) -> None:
    if privilege and isinstance(fallen, MariaDBCluster):
        pytest.skip("no privilege matters to MariaDB")
    if privilege:
        fallen.master.execute(f"GRANT {privilege} TO shop")
    old = promote(fallen, follow=True)
    new, other = fallen.standbys
    with databases(settings(new), settings(other)):
        for _ in range(2):
            for _ in range(2):
                with received(old):
                    assert read_from("before") == ("goods", True)
                    assert positions_in(publish()) == positions_in(old)
            position_cache.forget()  # the same in a process that was started after it


def test_a_new_position_is_not_compared_with_a_replica_that_stayed_behind(fallen: Any) -> None:
    promote(fallen, follow=False)
    new, other = fallen.standbys
    with databases(settings(new), settings(other)):
        message = written("new")
        for _ in range(2):
            with received(message):
                assert read_from("new") == ("goods", True)


def test_an_old_position_means_the_master_although_a_replica_that_stayed_behind_has_it(fallen: Any) -> None:
    if isinstance(fallen, MariaDBCluster):
        pytest.skip("a MariaDB replica that has the transaction has it, whoever is the master now")
    old = promote(fallen, follow=False)
    position_cache.forget()
    new, other = fallen.standbys
    with databases(settings(new), settings(other)), received(old):
        assert read_from("before") == ("goods", True)


def test_replicas_are_read_again_once_they_are_known_to_follow(fallen: Any) -> None:
    promote(fallen, follow=True)
    new, other = fallen.standbys
    if isinstance(fallen, PostgresCluster):
        new.execute("CHECKPOINT")

        def restarted() -> bool:
            other.execute("CHECKPOINT")  # a restartpoint, which time would bring
            return other.execute("SELECT timeline_id FROM pg_control_checkpoint()") == [(2,)]

        wait_until(restarted, 30, "the standby knows its timeline")
    with databases(settings(new), settings(other)):
        message = written("again")
        question = "SELECT count(*) FROM shop_customer WHERE name = 'again'"
        wait_until(lambda: other.execute(question, database="goods") == [(1,)], 30, "the standby has it")
        with asking() as asked, received(message):
            assert read_from("again") == ("goods-1", True)
        assert asked == ["goods-1"]


def test_another_cluster_has_positions_of_its_own(cluster: Cluster, start: Start) -> None:
    if isinstance(cluster, MariaDBCluster):
        pytest.skip("MariaDB clusters have no identity: a limit that docs/positions.md states")
    with databases(*map(settings, (cluster.master, *cluster.standbys))):
        message = written("elsewhere")
    with start() as other:
        prepare(other)
        with databases(*map(settings, (other.master, *other.standbys))):
            written("more")
            other.wait_until_replayed()
            for _ in range(2):
                with received(message):
                    assert read_from("elsewhere")[0] == "goods"
