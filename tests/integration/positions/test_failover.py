"""After a failover, positions of before mean what has survived of them: with servers that are really promoted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from pindb.servers.position_cache import MASTER_LOGS_SECONDS, position_cache
from tests.servers import PostgresCluster, wait_until
from tests.servers.mariadb import MariaDBCluster
from tests.servers.mysql import MySQLCluster

from .conftest import Start
from .goods import Cluster, asking, databases, positions_in, prepare, publish, read_from, received, settings, written

MYSQL = "a position means the same on every MySQL server, whoever is the master now: see test_mysql"


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


def learn_timeline(new: Any, other: Any) -> None:
    """Have the standby's control file name the timeline that it follows: time would bring that within minutes."""

    def restarted() -> bool:
        other.execute("CHECKPOINT")  # a restartpoint
        return other.execute("SELECT timeline_id FROM pg_control_checkpoint()") == [(2,)]

    new.execute("CHECKPOINT")
    wait_until(restarted, 30, "the standby knows its timeline")


def place_of(message: Any, name: str = "before") -> tuple[str, bool]:
    with received(message):
        return read_from(name)


@pytest.mark.parametrize("privilege", ["", "pg_read_all_stats"])
def test_an_old_position_means_what_has_survived_on_the_line_of_the_new_master(fallen: Any, privilege: str) -> None:
    postgresql = isinstance(fallen, PostgresCluster)
    if privilege and not postgresql:
        pytest.skip("no privilege matters to MariaDB and MySQL")
    if privilege:
        fallen.master.execute(f"GRANT {privilege} TO shop")
    old = promote(fallen, follow=True)
    new, other = fallen.standbys
    with databases(settings(new), settings(other)):
        if postgresql and not privilege:
            for _ in range(2):
                assert place_of(old) == ("goods", True), "the standby does not tell that it follows"
            learn_timeline(new, other)
        for _ in range(2):
            wait_until(lambda: place_of(old) == ("goods-1", True), 10, "the replica is as far as the master was")
            with asking("goods") as asked:
                for _ in range(5):
                    assert place_of(old) == ("goods-1", True)
            assert asked == [], "the master is asked once"
            position_cache.forget()  # the same in a process that was started after it


def test_the_master_is_asked_from_time_to_time_whether_it_still_writes_the_log_that_replicas_follow(
    fallen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(fallen, MySQLCluster):
        pytest.skip(MYSQL)
    if isinstance(fallen, PostgresCluster):
        fallen.master.execute("GRANT pg_read_all_stats TO shop")
    old = promote(fallen, follow=True)
    new, other = fallen.standbys
    with databases(settings(new), settings(other)):
        wait_until(lambda: place_of(old) == ("goods-1", True), 10, "the replica is as far as the master was")
        later = time.monotonic() + MASTER_LOGS_SECONDS
        monkeypatch.setattr(time, "monotonic", lambda: later)
        with asking("goods") as asked:
            assert place_of(old) == ("goods-1", True)
        assert asked == ["goods"], "another failover might have left the replica on an old line"


def test_an_old_position_means_a_position_and_not_any_of_the_new_line(fallen: Any) -> None:
    if isinstance(fallen, MySQLCluster):
        pytest.skip(MYSQL)
    if isinstance(fallen, PostgresCluster):
        fallen.master.execute("GRANT pg_read_all_stats TO shop")
    old = promote(fallen, follow=True)
    new, other = fallen.standbys
    other.pause_replay()
    with databases(settings(new), settings(other)):
        written("meanwhile")  # the new master has it when it is asked what the old position means
        for _ in range(3):
            assert place_of(old) == ("goods", True)
        other.resume_replay()
        wait_until(lambda: place_of(old) == ("goods-1", True), 10, "the replica is as far as the master was")


def test_an_old_position_is_handed_on_until_every_replica_has_what_it_means(fallen: Any) -> None:
    if not isinstance(fallen, PostgresCluster):
        pytest.skip("MariaDB and MySQL do not prove that they are the only server at their address")
    fallen.master.execute("GRANT pg_read_all_stats TO shop")
    old = promote(fallen, follow=True)
    new, other = fallen.standbys
    position_cache.forget()  # other settings come with another process: "goods-1" may have led to the new master
    with databases(settings(new), settings(other)):
        wait_until(lambda: place_of(old) == ("goods-1", True), 10, "the replica is as far as the master was")
        with received(old):
            assert positions_in(publish()) == positions_in(old)
        learn_timeline(new, other)
        connections["goods-1"].close()
        assert place_of(old) == ("goods-1", True), "asked anew, it names its floor"
        with received(old):
            assert positions_in(publish()) == []


def test_a_lost_transaction_means_the_master(fallen: Any) -> None:
    if isinstance(fallen, PostgresCluster):
        pytest.skip("PostgreSQL's new master does not tell what was lost; what it has is all there is")
    with databases(*map(settings, (fallen.master, *fallen.standbys))):
        for standby in fallen.standbys:
            standby.stop_following()
        lost = written("lost")
    fallen.master.process.kill()
    new, other = fallen.standbys
    new.promote()
    other.follow(new)
    with databases(settings(new), settings(other)):
        for number in range(3):  # the new master goes on counting
            written(f"number {number}")
        question = "SELECT count(*) FROM shop_customer WHERE name = 'number 2'"
        wait_until(lambda: other.execute(question, database="goods") == [(1,)], 30, "the other one has followed")
        with asking("goods") as asked:
            for _ in range(3):
                assert place_of(lost, "lost") == ("goods", False)
        assert len(asked) <= 2, "that it is lost is remembered"


def test_a_later_log_that_is_seen_anywhere_makes_the_process_ask_the_master_which_one_it_writes(fallen: Any) -> None:
    if not isinstance(fallen, PostgresCluster):
        pytest.skip("the logs of MariaDB and MySQL have no order")
    fallen.master.execute("GRANT pg_read_all_stats TO shop")
    old = promote(fallen, follow=True)
    new, other = fallen.standbys
    with databases(settings(new), settings(other)):
        wait_until(lambda: place_of(old) == ("goods-1", True), 10, "the replica is as far as the master was")
        after_another_failover = old.replace(".1:", ".9:")
        with asking("goods") as asked:
            assert place_of(after_another_failover) == ("goods", True)
            wait_until(lambda: place_of(old) == ("goods-1", True), 10, "the master still writes that log")
        assert asked


def test_a_new_position_is_not_compared_with_a_replica_that_stayed_behind(fallen: Any) -> None:
    promote(fallen, follow=False)
    new, other = fallen.standbys
    with databases(settings(new), settings(other)):
        message = written("new")
        for _ in range(2):
            with received(message):
                assert read_from("new") == ("goods", True)


def test_an_old_position_means_the_master_although_a_replica_that_stayed_behind_has_it(fallen: Any) -> None:
    if not isinstance(fallen, PostgresCluster):
        pytest.skip("a replica of MariaDB or MySQL that has the transaction has it, whoever is the master now")
    old = promote(fallen, follow=False)
    position_cache.forget()
    new, other = fallen.standbys
    with databases(settings(new), settings(other)), received(old):
        assert read_from("before") == ("goods", True)


def test_replicas_are_read_again_once_they_are_known_to_follow(fallen: Any) -> None:
    promote(fallen, follow=True)
    new, other = fallen.standbys
    if isinstance(fallen, PostgresCluster):
        learn_timeline(new, other)
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
