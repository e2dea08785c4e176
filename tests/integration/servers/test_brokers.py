"""The brokers of ``tests.servers`` keep what they promise to keep, and their connections can be cut."""

import os
from collections.abc import Iterator

import kombu
import pytest
import redis

from tests.servers import DurableValkey, RabbitMQ, Valkey, wait_until
from tests.servers.victim import family_of, living
from tests.services import own_rabbitmq

pytestmark = pytest.mark.heavy


def test_valkey_answers_and_forgets_everything_when_flushed() -> None:
    with Valkey() as valkey, redis.Redis.from_url(valkey.url(1)) as client:
        assert client.ping()
        client.set("key", "value")
        assert client.exists("key")
        valkey.flush()
        assert not client.exists("key")


def test_a_durable_valkey_has_after_a_restart_what_it_had_answered() -> None:
    with DurableValkey() as valkey, redis.Redis.from_url(valkey.url(1)) as client:
        client.rpush("queue", "one", "two")
        valkey.restart()
        client.connection_pool.disconnect()
        assert client.lrange("queue", 0, -1) == [b"one", b"two"]


def test_the_connections_to_valkey_can_be_cut() -> None:
    with DurableValkey() as valkey, redis.Redis.from_url(valkey.url()) as client:
        cut = client.client_id()
        valkey.cut_connections()
        with redis.Redis.from_url(valkey.url()) as other:
            assert str(cut) not in {each["id"] for each in other.client_list()}


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[RabbitMQ]:
    with own_rabbitmq() as running:
        yield running


def test_a_rabbitmq_has_after_a_restart_what_it_had_confirmed(rabbitmq: RabbitMQ) -> None:
    with kombu.Connection(rabbitmq.url(), transport_options={"confirm_publish": True}) as connection:
        connection.SimpleQueue("kept").put("a message")
    rabbitmq.restart()
    with kombu.Connection(rabbitmq.url()) as connection:
        assert connection.SimpleQueue("kept").get(timeout=10).payload == "a message"


def test_the_connections_to_a_rabbitmq_can_be_cut(rabbitmq: RabbitMQ) -> None:
    with kombu.Connection(rabbitmq.url()) as connection:
        connection.connect()
        rabbitmq.cut_connections()
        with pytest.raises(connection.connection_errors, match="cut by the tests"):
            connection.drain_events(timeout=10)


def test_a_rabbitmq_leaves_no_process_behind() -> None:
    before = family_of(os.getpid())
    with own_rabbitmq():
        started = family_of(os.getpid()) - before
    assert len(started) > 3
    wait_until(lambda: not started & living().keys(), timeout=10, what="its processes are gone")
