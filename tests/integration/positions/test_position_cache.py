"""What a process has learned of replicas is not asked again, and is not believed of another server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from django.db import connections

from pindb.core.pins import PinnedPosition
from pindb.servers.position_cache import CACHE_SIZE, TRUST_SECONDS, PositionCache
from tests.servers import wait_until

from .goods import Cluster, asking, databases, in_thread, positions_in, publish, read_from, received, settings, written


@pytest.fixture
def one_replica(cluster: Cluster) -> Iterator[Cluster]:
    with databases(settings(cluster.master), settings(cluster.standbys[0])):
        yield cluster


def is_postgresql() -> bool:
    return connections["goods"].vendor == "postgresql"


def test_a_replica_seen_beyond_a_position_is_not_asked_for_it_or_a_lower_one(one_replica: Cluster) -> None:
    lower, higher = written("amy"), written("bob")
    one_replica.wait_until_replayed()
    with asking() as asked:
        for message in (higher, lower, higher):
            with received(message):
                assert read_from("bob") == ("goods-1", True)
        assert asked == ["goods-1"]
        highest = written("cam")
        one_replica.wait_until_replayed()
        with received(highest):
            assert read_from("cam") == ("goods-1", True)
    assert asked == ["goods-1", "goods", "goods-1"]


def test_what_is_remembered_of_positions_not_reached_is_bounded() -> None:
    cache = PositionCache()
    for number in range(CACHE_SIZE + 1):  # as many failovers
        cache.note_unreached("goods", PinnedPosition(f"pA.{number:x}", 5, 0.0))
    assert cache.unreached("goods") == {f"pA.{CACHE_SIZE:x}": 5}


def test_a_replica_seen_behind_is_asked_again(one_replica: Cluster) -> None:
    one_replica.standbys[0].pause_replay()
    message = written("deb")
    with received(message):
        assert read_from("deb") == ("goods", True)
    one_replica.standbys[0].resume_replay()
    one_replica.wait_until_replayed()
    with received(message):
        assert read_from("deb") == ("goods-1", True)


def test_other_threads_and_later_connections_know_too_where_the_server_proves_who_it_is(one_replica: Cluster) -> None:
    message = written("edd")
    one_replica.wait_until_replayed()

    def read() -> list[str]:
        with asking() as asked, received(message):
            assert read_from("edd") == ("goods-1", True)
        return asked

    assert read() == ["goods-1"]
    again = [] if is_postgresql() else ["goods-1"]
    assert in_thread(read) == again
    connections["goods-1"].close()
    assert read() == again


def test_an_answer_is_believed_for_a_while_only(one_replica: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    message = written("fee")
    one_replica.wait_until_replayed()
    with received(message):
        read_from("fee")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + TRUST_SECONDS + 1)
    with asking() as asked, received(message):
        assert read_from("fee") == ("goods-1", True)
    assert asked == ["goods-1"]


def test_a_pin_that_every_replica_is_known_to_have_passed_is_not_handed_on(goods: Cluster) -> None:
    message = written("guy")
    goods.wait_until_replayed()
    with received(message):
        read_from("guy")
        assert positions_in(publish()) == positions_in(message), "one of two is not known"
    with received(message):
        read_from("guy")
        passed = positions_in(publish()) == []
    assert passed is is_postgresql(), "a MariaDB server does not prove that it is the only one at its address"
    with received(written("hue")):
        assert positions_in(publish()), "a later position"


class Balancer:
    """One port that leads each connection to the server of the moment."""

    def __init__(self, port: int) -> None:
        self.target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def balancer(cluster: Cluster) -> Iterator[Balancer]:
    balancer = Balancer(cluster.standbys[0].port)
    with databases(settings(cluster.master), {**settings(cluster.standbys[0]), "PORT": balancer.port}):
        yield balancer
    balancer.close()


def test_behind_a_balancer_each_connection_is_asked(cluster: Cluster, balancer: Balancer) -> None:
    cluster.standbys[1].pause_replay()
    message = written("ina")
    first, second = cluster.standbys
    first.resume_replay()
    deadline = time.monotonic() + 10
    place = "goods"
    while place == "goods" and time.monotonic() < deadline:
        with received(message):
            place, seen = read_from("ina")
            assert seen
            assert positions_in(publish()) == positions_in(message), "nobody knows how many servers there are"
    assert place == "goods-1"
    balancer.target = second.port
    with received(message):
        assert read_from("ina") == ("goods-1", True), "the connection still leads to the first"
    connections["goods-1"].close()
    with received(message):
        assert read_from("ina") == ("goods", True)


def test_what_was_known_of_a_connection_ends_with_it(cluster: Cluster, balancer: Balancer) -> None:
    """With `CONN_HEALTH_CHECKS` the first query of a request may find it dead, and connects anew: elsewhere."""
    first, second = cluster.standbys
    second.pause_replay()
    message = written("jan")
    if is_postgresql():
        kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'"
    else:
        kill = "KILL USER shop"

    def place() -> str:
        with received(message):
            return read_from("jan")[0]

    wait_until(lambda: place() == "goods-1", 10, "the replica is known to have it")
    first.execute(kill)
    balancer.target = second.port
    connection = connections["goods-1"]
    connection.health_check_enabled, connection.health_check_done = True, False
    with received(message):
        assert read_from("jan") == ("goods", True)
