"""One alias that leads to several servers: each connection decides for itself, and a pooler is found out."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import override_settings

import pindb
from tests.carriers import NOTHING_PINNED
from tests.servers import PostgresCluster, Standby, wait_until
from tests.shop.models import Customer

from .balancers import Balancer, Pooler
from .goods import (
    Cluster,
    asking,
    databases,
    drop_connections,
    in_thread,
    positions_in,
    publish,
    read_from,
    received,
    settings,
    timed_in,
    wait_until_one_has_replayed,
    written,
)


def is_postgresql() -> bool:
    return connections["goods"].vendor == "postgresql"


@pytest.fixture
def balancer(cluster: Cluster) -> Iterator[Balancer]:
    balancer = Balancer(cluster.standbys[0].port)
    with databases(settings(cluster.master), {**settings(cluster.standbys[0]), "PORT": balancer.port}):
        yield balancer
    balancer.close()


def test_behind_a_balancer_each_connection_is_asked(cluster: Cluster, balancer: Balancer) -> None:
    cluster.standbys[1].pause_replay()
    message = written("alias: ina")
    first, second = cluster.standbys
    first.resume_replay()
    deadline = time.monotonic() + 10
    place = "goods"
    while place == "goods" and time.monotonic() < deadline:
        with received(message):
            place, seen = read_from("alias: ina")
            assert seen
            assert positions_in(publish()) == positions_in(message), "nobody knows how many servers there are"
    assert place == "goods-1"
    balancer.target = second.port
    with received(message):
        assert read_from("alias: ina") == ("goods-1", True), "the connection still leads to the first"
    connections["goods-1"].close()
    with received(message):
        assert read_from("alias: ina") == ("goods", True)


def test_what_was_known_of_a_connection_ends_with_it(cluster: Cluster, balancer: Balancer) -> None:
    """With `CONN_HEALTH_CHECKS` the first query of a request may find it dead, and connects anew: elsewhere."""
    first, second = cluster.standbys
    second.pause_replay()
    message = written("alias: jan")

    def place() -> str:
        with received(message):
            return read_from("alias: jan")[0]

    wait_until(lambda: place() == "goods-1", 10, "the replica is known to have it")
    if isinstance(first, Standby):
        first.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'")
    else:
        first.disconnect("shop")
    balancer.target = second.port
    connection = connections["goods-1"]
    connection.health_check_enabled, connection.health_check_done = True, False
    with received(message):
        assert read_from("alias: jan") == ("goods", True)


def read_in_thread(name: str) -> tuple[str, bool]:
    """Read in another thread of this unit of work, over a connection of its own."""
    context = copy_context()
    return in_thread(lambda: context.run(read_from, name))  # type: ignore[no-any-return]


@pytest.mark.parametrize("in_atomic", ["master", "replica"])
def test_a_thread_whose_connection_leads_to_a_server_behind_reads_the_master_and_all_do_from_then_on(
    cluster: Cluster, balancer: Balancer, in_atomic: str
) -> None:
    first, second = cluster.standbys
    second.pause_replay()
    name = f"kim {in_atomic}"
    message = written(name)
    wait_until_one_has_replayed(cluster, first)
    with override_settings(PINDB_READS_IN_ATOMIC=in_atomic), received(message):
        assert read_from(name) == ("goods-1", True)
        balancer.target = second.port
        for _ in range(5):
            assert read_in_thread(name) == ("goods", True)
        assert read_from(name) == ("goods", True), "a unit of work reads one place, and never goes back"
        assert positions_in(publish()) == positions_in(message)


@pytest.mark.parametrize("reads_here", [True, False])
def test_with_monotonic_reads_what_a_thread_has_read_from_a_server_further_ahead_is_handed_on(
    cluster: Cluster, balancer: Balancer, reads_here: bool
) -> None:
    first, second = cluster.standbys
    second.pause_replay()
    name = f"alias: mia {reads_here}"
    written(name)
    wait_until_one_has_replayed(cluster, first)
    with override_settings(PINDB_MONOTONIC_READS=True):
        with received(NOTHING_PINNED):
            balancer.target = second.port
            if reads_here:
                assert read_from(name) == ("goods-1", False)
            balancer.target = first.port
            assert read_in_thread(name) == ("goods-1", True)
            balancer.target = second.port
            message = publish()
        connections["goods-1"].close()
        with received(message):
            assert read_from(name) == ("goods", True)


@pytest.mark.parametrize("reads_again", [True, False])
def test_with_monotonic_reads_what_was_read_over_a_connection_that_was_closed_is_handed_on(
    cluster: Cluster, balancer: Balancer, reads_again: bool
) -> None:
    first, second = cluster.standbys
    second.pause_replay()
    name = f"alias: moe {reads_again}"
    written(name)
    wait_until_one_has_replayed(cluster, first)

    def jobs() -> list[tuple[str, bool]]:
        """Read in the implicit unit of work of this thread, then in the next one."""
        seen = [read_from(name)]
        balancer.target = second.port
        connections["goods-1"].close()
        return [*seen, read_from(name)]

    with override_settings(PINDB_MONOTONIC_READS=True):
        assert in_thread(jobs) == [("goods-1", True), ("goods", True)]
        balancer.target = first.port
        connections["goods-1"].close()
        with received(NOTHING_PINNED):
            assert read_from(name) == ("goods-1", True)
            balancer.target = second.port
            connections["goods-1"].close()
            if reads_again:
                assert read_from(name)[0] == "goods-1"
            message = publish()
        with received(message):
            assert read_from(name) == ("goods", True)


def test_threads_whose_connections_lead_to_servers_that_have_the_data_read_these(
    cluster: Cluster, balancer: Balancer
) -> None:
    message = written("alias: lea")
    cluster.wait_until_replayed()
    with received(message), asking() as asked:
        for _ in range(3):
            assert read_from("alias: lea") == ("goods-1", True)
        assert asked == ["goods-1"]

        def ask_and_read() -> tuple[list[str], tuple[str, bool]]:
            with asking() as asked:
                read_from("alias: lea")
                return asked, read_from("alias: lea")

        for server in cluster.standbys * 2:
            balancer.target = server.port
            context = copy_context()
            assert in_thread(lambda context=context: context.run(ask_and_read)) == (["goods-1"], ("goods-1", True))
        assert not pindb.is_pinned("goods")


def test_a_connection_that_is_replaced_within_a_unit_of_work_is_asked_again(
    cluster: Cluster, balancer: Balancer
) -> None:
    first, second = cluster.standbys
    second.pause_replay()
    message = written("alias: mel")
    wait_until_one_has_replayed(cluster, first)
    with received(message):
        assert read_from("alias: mel") == ("goods-1", True)
        connections["goods-1"].close()
        balancer.target = second.port
        assert read_from("alias: mel") == ("goods", True)


def test_a_unit_of_work_inside_another_one_asks_for_itself(cluster: Cluster, balancer: Balancer) -> None:
    first, second = cluster.standbys
    second.pause_replay()
    message = written("alias: mo")
    wait_until_one_has_replayed(cluster, first)
    with received(message):
        assert read_from("alias: mo") == ("goods-1", True)
        balancer.target = second.port
        connections["goods-1"].close()
        with received(publish()):
            assert read_from("alias: mo") == ("goods", True)


async def test_in_an_event_loop_the_thread_that_runs_the_query_decides(cluster: Cluster, balancer: Balancer) -> None:
    def write_it() -> Any:
        message = written("alias: nat")
        cluster.wait_until_replayed()
        return message

    message = await sync_to_async(write_it)()
    with received(message):
        assert await sync_to_async(read_from)("alias: nat") == ("goods-1", True)
        assert Customer.objects.all().db == "goods-1"
        assert await Customer.objects.filter(name="alias: nat").aexists()
        assert not pindb.is_pinned("goods")
    await sync_to_async(drop_connections)()


@pytest.fixture
def pooler(cluster: Cluster) -> Iterator[Pooler]:
    """Leads the statements of one connection now to one standby, now to the other."""
    if not isinstance(cluster, PostgresCluster):
        pytest.skip("this pooler speaks PostgreSQL")
    choice = random.Random(5)
    ports = [standby.port for standby in cluster.standbys]
    pooler = Pooler(ports, lambda: choice.choice(ports))
    with databases(settings(cluster.master), {**settings(cluster.standbys[0]), "PORT": pooler.port}):
        yield pooler
        connections["goods-1"].close()
    pooler.close()


@pytest.mark.usefixtures("pooler")
def test_a_pooler_that_changes_the_server_under_a_connection_is_not_believed_again(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.standbys[1].pause_replay()
    message = written("alias: oda")
    wait_until_one_has_replayed(cluster, cluster.standbys[0])
    for _ in range(10):
        with received(message):
            read_from("alias: oda")
    cluster.standbys[1].resume_replay()
    cluster.wait_until_replayed()
    with asking() as asked:
        for _ in range(20):
            with received(message):
                assert read_from("alias: oda") == ("goods", True)
                assert positions_in(publish()) == positions_in(message)
        connections["goods-1"].close()  # what is read is watched from the next one on
        with override_settings(PINDB_MONOTONIC_READS=True), pindb.pinning_context():
            assert read_from("alias: oda")[0] == "goods-1"
            assert timed_in(publish()), "what was read is not known either"
    assert "goods-1" not in asked[:-1]
    (record,) = caplog.records
    assert "One connection to 'goods-1' leads to several servers" in record.message


def test_a_pooler_in_front_of_one_server_is_asked_by_each_unit_of_work(cluster: Cluster) -> None:
    if not isinstance(cluster, PostgresCluster):
        pytest.skip("this pooler speaks PostgreSQL")
    port = cluster.standbys[0].port
    pooler = Pooler([port], lambda: port)
    with databases(settings(cluster.master), {**settings(cluster.standbys[0]), "PORT": pooler.port}):
        message = written("alias: pam")
        cluster.wait_until_replayed()
        for _ in range(3):
            with received(message), asking("goods-1") as asked:
                for _ in range(2):
                    assert read_from("alias: pam") == ("goods-1", True)
            assert asked == ["goods-1"], "which server the next statement meets may have changed since"
        connections["goods-1"].close()
    pooler.close()
