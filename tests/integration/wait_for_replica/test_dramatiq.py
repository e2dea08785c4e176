"""A Dramatiq actor with `@caught_up` waits in its queue for a replica: each kind of broker, real standbys."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq import Middleware, group, pipeline
from dramatiq.middleware import AsyncIO

import pindb
import pindb_dramatiq
from pindb import catching_up
from tests.integration.positions.goods import drop_connections, pause, read_from, resume, write
from tests.servers import PostgresCluster, Valkey, wait_until
from tests.unit.pindb_dramatiq.sites import Site, made_site

REPLICAS = ("goods-1", "goods-2")


class Watch(Middleware):
    """Counts what happens to messages, and closes the connections of the worker's thread."""

    def __init__(self) -> None:
        self.skipped: list[Any] = []
        self.done: list[Any] = []

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        self.done.append((message.message_id, message.options.get("retries", 0), exception))
        drop_connections()

    def after_skip_message(self, broker: Any, message: Any) -> None:
        self.skipped.append(message.message_id)
        drop_connections()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture(params=["stub", "redis", "rabbitmq"])
def site(request: pytest.FixtureRequest, goods: PostgresCluster, watch: Watch, valkey: Valkey) -> Iterator[Site]:
    with made_site(request.param, valkey.url(2)) as made:
        made.broker.add_middleware(watch)
        made.broker.add_middleware(AsyncIO())
        yield made


def row(text: str, site: Site) -> str:
    """Return a name of this site's own: names are unique in the table."""
    return f"{text} {site.queue}"


def result_of(site: Site, message: Any) -> Any:
    return message.get_result(backend=site.broker.get_results_backend(), block=True, timeout=20000)


def made_actor(site: Site, how: str, **options: Any) -> Any:
    caught_up = pindb_dramatiq.caught_up("goods", timeout=60)

    def reads(name: str) -> Any:
        return read_from(name)

    async def reads_async(name: str) -> Any:
        from asgiref.sync import sync_to_async

        def read() -> Any:
            try:
                return read_from(name)
            finally:
                drop_connections()

        return await sync_to_async(read)()

    function = reads_async if how.startswith("async") else reads
    if how.endswith("above"):
        return caught_up(site.actor(function, store_results=True, **options))
    return site.actor(caught_up(function), store_results=True, **options)


@pytest.mark.parametrize("how", ["below", "above", "async below", "async above"])
def test_an_actor_waits_for_a_replica_and_reads_the_write_there(
    goods: PostgresCluster, site: Site, watch: Watch, how: str
) -> None:
    actor = made_actor(site, how)
    pause(goods)
    with site.working():
        with pindb.pinning_context():
            write(row(f"actor {how}", site))
            message = actor.send(row(f"actor {how}", site))
        wait_until(lambda: len(watch.skipped) >= 2, 20, "put back twice")
        resume(goods)
        alias, found = result_of(site, message)
        site.settle()
    assert alias in REPLICAS
    assert found
    assert watch.done == [(message.message_id, 0, None)]
    assert set(watch.skipped) == {message.message_id}


def test_after_the_timeout_an_actor_runs_on_the_master(goods: PostgresCluster, site: Site, watch: Watch) -> None:
    @site.actor(store_results=True)
    @pindb_dramatiq.caught_up("goods", timeout=0.5)
    def reads(name: str) -> Any:
        return read_from(name)

    pause(goods)
    with site.working():
        with pindb.pinning_context():
            write(row("late actor", site))
            message = reads.send(row("late actor", site))
        assert tuple(result_of(site, message)) == ("goods", True)
        site.settle()
    assert watch.skipped


def test_an_actor_whose_sender_wrote_nothing_runs_at_once(goods: PostgresCluster, site: Site, watch: Watch) -> None:
    actor = made_actor(site, "below")
    pause(goods)
    with site.working():
        with pindb.pinning_context():
            message = actor.send("nobody")
        assert result_of(site, message)[0] in REPLICAS
        site.settle()
    assert not watch.skipped


def test_callbacks_pipes_and_groups_hear_of_an_actor_once_it_has_run(
    goods: PostgresCluster, site: Site, watch: Watch
) -> None:
    heard: list[Any] = []
    both = threading.Event()

    @site.actor
    def on_success(data: Any, result: Any) -> None:
        heard.append(("on_success", tuple(result)))

    @site.actor
    def piped(result: Any) -> None:
        heard.append(("piped", tuple(result)))

    @site.actor
    def completed() -> None:
        heard.append(("completed",))
        both.set()

    actor = made_actor(site, "below")
    pause(goods)
    with site.working():
        with pindb.pinning_context():
            write(row("composed", site))
            members = [
                actor.message_with_options(args=(row("composed", site),), on_success="on_success"),
                pipeline([actor.message(row("composed", site)), piped.message()], broker=site.broker),
            ]
            job = group(members, broker=site.broker)
            job.add_completion_callback(completed.message())
            job.run()
        wait_until(lambda: len(set(watch.skipped)) == 2, 20, "both put back")
        assert not heard
        resume(goods)
        assert both.wait(20)
        site.settle()
    assert sorted(event for event, *_ in heard) == ["completed", "on_success", "piped"]
    assert all(details[0][1] for _, *details in heard if details)


def test_a_retried_actor_waits_without_losing_a_retry(goods: PostgresCluster, site: Site, watch: Watch) -> None:
    tries: list[str] = []

    @site.actor(store_results=True, max_retries=1)
    @pindb_dramatiq.caught_up("goods", timeout=60)
    def fails_once(name: str) -> Any:
        tries.append(name)
        if len(tries) == 1:
            raise ZeroDivisionError
        return read_from(name)

    pause(goods)
    with site.working():
        with pindb.pinning_context():
            write(row("again actor", site))
            message = fails_once.send(row("again actor", site))
        wait_until(lambda: len(watch.skipped) >= 2, 20, "put back twice")
        resume(goods)
        assert result_of(site, message)[1]
        site.settle()
    assert len(tries) == 2


def test_actors_that_are_called_directly_are_never_put_back(goods: PostgresCluster, site: Site, watch: Watch) -> None:
    inner = made_actor(site, "below")

    @site.actor(store_results=True)
    def outer(name: str) -> Any:
        return inner(name)

    pause(goods)
    with site.working():
        with pindb.pinning_context():
            write(row("direct actor", site))
            message = outer.send(row("direct actor", site))
        assert tuple(result_of(site, message)) == ("goods", True)
        site.settle()
    assert not watch.skipped


def test_an_actor_that_cannot_be_put_back_runs_on_the_master(
    goods: PostgresCluster, site: Site, watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    actor = made_actor(site, "below")
    enqueue = site.broker.enqueue

    def broken(message: Any, **options: Any) -> Any:
        if catching_up.SINCE in message.options:
            raise ConnectionError
        return enqueue(message, **options)

    pause(goods)
    with site.working():
        with pindb.pinning_context():
            write(row("broker down", site))
            monkeypatch.setattr(site.broker, "enqueue", broken)
            message = actor.send(row("broker down", site))
        assert tuple(result_of(site, message)) == ("goods", True)
        site.settle()
    assert not watch.skipped
    assert "could not put" in caplog.text


def test_an_actor_that_could_not_be_put_back_is_not_skipped_halfway_where_it_calls_itself(
    goods: PostgresCluster, site: Site, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    @site.actor(store_results=True)
    @pindb_dramatiq.caught_up("goods", timeout=60)
    def reads(name: str, *, again: bool = True) -> Any:
        return reads(name, again=False) if again else read_from(name)

    enqueue, errors = site.broker.enqueue, iter([ConnectionError])

    def broken_once(message: Any, **options: Any) -> Any:
        if catching_up.SINCE in message.options:
            for error in errors:
                raise error
        return enqueue(message, **options)

    pause(goods)
    with site.working():
        with pindb.pinning_context():
            write(row("calls itself", site))
            monkeypatch.setattr(site.broker, "enqueue", broken_once)
            message = reads.send(row("calls itself", site))
        assert tuple(result_of(site, message)) == ("goods", True)
        site.settle()
    assert not watch.skipped
