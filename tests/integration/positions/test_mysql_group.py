"""Group Replication (InnoDB Cluster): the members of a group write in its name, and a failover leaves a gap."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest

from pindb.servers.vendors.gtid_sets import source_of
from tests.servers import wait_until
from tests.servers.mysql import MySQLCluster, MySQLReplica
from tests.services import mysql

from .goods import asking, databases, positions_in, prepare, settings, written
from .test_mysql import FOREIGN, commit_as, place_of

pymysql.install_as_MySQLdb()

GROUP = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"


@pytest.fixture
def group() -> Iterator[MySQLCluster]:
    with mysql(standbys=2) as cluster:
        prepare(cluster)
        cluster.form_group(GROUP)
        yield cluster


def after_failover(group: MySQLCluster) -> tuple[MySQLReplica, MySQLReplica]:
    """Lose the primary; return the one that the group has chosen, and the other one."""
    group.master.process.kill()
    observer = group.standbys[0]

    def roles() -> list[str]:
        return sorted(group.members(observer).values())

    wait_until(lambda: roles() == ["PRIMARY", "SECONDARY"], 60, lambda: f"the group has a new primary: {roles()}")
    return tuple(sorted(group.standbys, key=lambda each: group.members(observer)[each.port]))  # type: ignore[return-value]


def test_positions_of_a_group_are_compared_across_its_failover(group: MySQLCluster) -> None:
    with databases(*map(settings, (group.master, *group.standbys))):
        for number in range(4):  # a long history: the group is asked for its name
            commit_as(group.master, f"{FOREIGN.format(number)}:1")
        before = written("before")
        logs = [position.partition(":")[0] for position in positions_in(before)]
        assert source_of(GROUP) in logs
        assert not any(source_of(FOREIGN.format(number)) in logs for number in range(4))
        group.wait_until_replayed()
        assert place_of(before, "before")[0] != "goods"
    new, other = after_failover(group)
    with databases(settings(new), settings(other)):
        assert place_of(before, "before") == ("goods-1", True)
        after = written("after")
        assert f"{GROUP}:1:1000001" in new.position(), "members take numbers in blocks"
        assert any(position.startswith(f"{source_of(GROUP)}-") for position in positions_in(after)), "behind a gap"
        wait_until(lambda: other.has_replayed(new.position()), 30, "the other one has it")
        with asking() as asked:
            assert place_of(after, "after") == ("goods-1", True)
        assert asked == ["goods-1"]
