"""Replicas that refuse, hang or die: the application sees no error, and waits about a second at most."""

from __future__ import annotations

import logging
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, close_old_connections, connections, transaction
from django.test import override_settings

import pindb
from pindb.servers import health
from tests.integration.health.dying import dying_server
from tests.integration.health.shop import (
    Clock,
    Probes,
    installed,
    read,
    read_and_hang_up,
    reads,
    started_again,
    stopped,
    timed,
    until_no_probe_is_under_way,
)
from tests.servers import PostgresCluster, wait_until
from tests.shop.models import Order

STALL = health.PROBE_TIMEOUT + 0.4


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_healthy_replicas_are_read_in_turn_and_asked_once_per_period(
    shop: PostgresCluster, clock: Clock, asked: Probes
) -> None:
    assert reads(40) == {"shop-1", "shop-2"}
    assert (asked.of("shop-1"), asked.of("shop-2")) == (1, 1)
    clock.move(4.9)
    reads(40)
    assert (asked.of("shop-1"), asked.of("shop-2")) == (1, 1)
    clock.move(0.2)
    reads(40)
    assert (asked.of("shop-1"), asked.of("shop-2")) == (2, 2)


def test_many_threads_ask_no_more_often_than_one(shop: PostgresCluster, clock: Clock, asked: Probes) -> None:
    with ThreadPoolExecutor(8) as pool:
        for period in range(1, 4):
            assert len(list(pool.map(lambda _: read_and_hang_up(), range(48)))) == 48
            assert max(asked.of("shop-1"), asked.of("shop-2")) <= period
            clock.move(5.1)


def test_all_replicas_refuse_and_come_back_no_error_one_warning_and_they_are_read_again(
    clock: Clock, asked: Probes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pindb")
    with PostgresCluster(standbys=2) as cluster:
        cluster.create_database("shop")
        with installed(cluster):
            first, second = cluster.standbys
            assert reads() == {"shop-1", "shop-2"}

            # At once: nothing has been asked since, and this thread has a connection open to it.
            first.process.kill()
            assert reads() == {"shop-2"}
            assert warnings_in(caplog) == []

            second.process.kill()
            assert reads() == {"shop"}
            clock.move(30)
            before = len(asked.aliases)
            assert reads() == {"shop"}
            assert len(asked.aliases) == before + 2
            (warning,) = warnings_in(caplog)
            assert "No replica of 'shop' can be read" in warning
            assert "shop-1" in warning
            assert "shop-2" in warning

            with started_again(cluster, first):
                assert reads() == {"shop"}, "not before its time"
                clock.move(10.1)
                wait_until(lambda: read() == "shop-1", 10, "the replica is read")
                assert "Replicas of 'shop' are read again." in caplog.messages
                connections["shop-1"].close()
            assert len(warnings_in(caplog)) == 1


def test_a_connection_that_its_server_has_closed_is_replaced_before_it_is_read(shop: PostgresCluster) -> None:
    assert reads() == {"shop-1", "shop-2"}
    for standby in shop.standbys:
        standby.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'shop'")
    assert reads() == {"shop-1", "shop-2"}


def test_a_loss_in_the_middle_of_a_context_is_seen_by_it_and_not_by_the_next(shop: PostgresCluster) -> None:
    with override_settings(PINDB_RETRY_ON_MASTER=False), pindb.pinning_context():
        list(Order.objects.all())
        for standby in shop.standbys:
            standby.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'shop'")
        with pytest.raises(OperationalError):
            list(Order.objects.all())
    assert reads() == {"shop-1", "shop-2"}


def test_a_context_that_chose_the_master_reads_it_to_its_end(shop: PostgresCluster, clock: Clock) -> None:
    with pindb.pinning_context():
        with stopped(shop.standbys[0]), stopped(shop.standbys[1]):
            assert Order.objects.all().db == "shop"
        until_no_probe_is_under_way()
        clock.move(60)
        assert Order.objects.all().db == "shop"
    assert read() != "shop"


def test_a_context_that_chose_a_replica_stays_there(shop: PostgresCluster, clock: Clock) -> None:
    with pindb.pinning_context():
        chosen = Order.objects.all().db
        with stopped(shop.standbys[0]), stopped(shop.standbys[1]):
            clock.move(60)
            assert Order.objects.all().db == chosen


def test_a_server_that_hangs_stalls_one_request_for_about_a_second_and_no_other(
    shop: PostgresCluster, clock: Clock, asked: Probes
) -> None:
    connections.close_all()
    with stopped(shop.standbys[0]), stopped(shop.standbys[1]), ThreadPoolExecutor(6) as pool:
        seconds = sorted(took for _, took in pool.map(lambda _: timed(read_and_hang_up), range(12)))
        # Each of the two is waited for once, by whoever came first, and not one after the other.
        assert seconds[-1] < STALL
        assert sum(took > 0.6 for took in seconds) <= 2
        assert timed(read)[0] == "shop"
        assert timed(read)[1] < 0.2
        assert (asked.of("shop-1"), asked.of("shop-2")) == (1, 1)


def test_a_server_that_hangs_while_another_answers_costs_a_second_once(
    shop: PostgresCluster, clock: Clock, asked: Probes
) -> None:
    assert reads() == {"shop-1", "shop-2"}
    connections.close_all()
    clock.move(6)
    with stopped(shop.standbys[0]):
        taken = [timed(read) for _ in range(20)]
        assert {alias for alias, _ in taken} == {"shop-2"}
        assert max(seconds for _, seconds in taken) < STALL
        assert sum(seconds > 0.3 for _, seconds in taken) == 1
        # Tried again after its time, nobody waits for long.
        until_no_probe_is_under_way()
        clock.move(10.1)
        taken = [timed(read) for _ in range(20)]
        assert {alias for alias, _ in taken} == {"shop-2"}
        assert max(seconds for _, seconds in taken) < 0.5
        assert asked.of("shop-1") == 3


def test_replicas_that_all_hang_just_after_they_were_asked_are_not_waited_for_one_after_the_other(
    shop: PostgresCluster,
) -> None:
    assert reads() == {"shop-1", "shop-2"}
    connections.close_all()
    with stopped(shop.standbys[0]), stopped(shop.standbys[1]):
        taken = [timed(read_and_hang_up) for _ in range(6)]
    assert {alias for alias, _ in taken} == {"shop"}
    assert max(seconds for _, seconds in taken) < STALL
    assert sum(seconds > 0.5 for _, seconds in taken) == 2


def test_a_server_that_hangs_just_after_it_was_asked_does_not_hang_who_connects(shop: PostgresCluster) -> None:
    assert reads() == {"shop-1", "shop-2"}
    connections.close_all()
    with stopped(shop.standbys[0]):
        taken = [timed(read_and_hang_up) for _ in range(8)]
    assert {alias for alias, _ in taken} == {"shop-2"}
    assert max(seconds for _, seconds in taken) < STALL
    assert sum(seconds > 0.5 for _, seconds in taken) == 1


def test_a_server_with_an_empty_data_directory_and_then_another_cluster_is_no_replica(clock: Clock) -> None:
    with PostgresCluster(standbys=1) as cluster:
        cluster.create_database("shop")
        with installed(cluster):
            assert reads() == {"shop-1"}
            (standby,) = cluster.standbys
            standby.process.kill()
            data = cluster._directory.path / standby.name
            shutil.rmtree(data)
            assert reads() == {"shop"}
            cluster._run(["initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"])
            shutil.copy(cluster._directory.path / "master" / "pg_hba.conf", data / "pg_hba.conf")
            with (data / "postgresql.conf").open("a") as configuration:
                configuration.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")
            with started_again(cluster, standby):
                clock.move(11)
                assert reads() == {"shop"}, "it has no such database"
                standby.execute("CREATE DATABASE shop")
                clock.move(11)
                assert reads() == {"shop"}, "it is no standby"


def test_a_promoted_standby_is_not_read(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with PostgresCluster(standbys=1) as cluster:
        cluster.create_database("shop")
        with installed(cluster):
            assert reads() == {"shop-1"}
            cluster.standbys[0].execute("SELECT pg_promote()")
            clock.move(6)
            assert reads() == {"shop"}
            assert "no replica (any more)" in caplog.text


def test_code_that_only_reads_the_master_asks_and_opens_no_replica(shop: PostgresCluster, asked: Probes) -> None:
    connections.close_all()
    with pindb.pinning_context(), transaction.atomic("shop"):
        list(Order.objects.all())
    with pindb.pinning_context():
        pindb.pin("shop")
        list(Order.objects.all())
    assert asked.aliases == []
    assert connections["shop-1"].connection is None
    assert connections["shop-2"].connection is None


def test_a_replica_inside_a_transaction_of_its_own_is_left_alone(shop: PostgresCluster) -> None:
    reads()
    with transaction.atomic("shop-1"), transaction.atomic("shop-2"):
        for standby in shop.standbys:
            standby.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'shop'")
        with pindb.pinning_context():
            pindb.get_replica("shop")
        assert not any(connections[alias].closed_in_transaction for alias in ("shop-1", "shop-2"))


def test_a_server_that_dies_before_the_first_query_of_a_connection_is_passed_over(
    shop: PostgresCluster, asked: Probes
) -> None:
    """Django does not turn the driver's exceptions into its own there: `connect()` runs outside of that."""
    assert reads() == {"shop-1", "shop-2"}
    connections.close_all()
    settings = connections["shop-1"].settings_dict
    port = settings["PORT"]
    with dying_server() as settings["PORT"]:
        assert reads() == {"shop-2"}
    assert "terminating connection" in health._replicas["shop-1"].problem
    assert asked.of("shop-1") == 1, "the probe found nothing"
    settings["PORT"] = port


def test_jobs_of_a_thread_that_nobody_opened_a_unit_of_work_for_survive_the_loss_of_their_replica() -> None:
    """The thread of a scheduler.

    Django ends each job with `close_old_connections()`, which finds the lost connection.
    """

    def job() -> str:
        try:
            orders = Order.objects.all()
            list(orders)
            return str(orders.db)
        except OperationalError:
            return "failed"
        finally:
            close_old_connections()

    with PostgresCluster(standbys=2) as cluster:
        cluster.create_database("shop")
        with installed(cluster), ThreadPoolExecutor(1) as pool:
            first = pool.submit(job).result()
            cluster.standbys[int(first.removeprefix("shop-")) - 1].process.kill()
            places = [pool.submit(job).result() for _ in range(50)]
            pool.submit(connections.close_all).result()
    assert "failed" not in places
    assert first not in places[1:]
