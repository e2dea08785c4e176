"""Real worker processes, on Redis and RabbitMQ, with threads and with gevent: the contract once more, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dramatiq import group, pipeline

import pindb
from tests.integration.dramatiq.workers import TIMEOUT, Workers, made_workers
from tests.servers import Valkey, wait_until


@pytest.fixture(scope="module", params=["redis-threads", "rabbitmq-threads", "redis-gevent", "rabbitmq-gevent"])
def workers(request: pytest.FixtureRequest, valkey: Valkey) -> Iterator[Workers]:
    broker, pool = request.param.split("-")
    with made_workers(broker, pool, valkey) as made, made.running():
        yield made


@pytest.mark.parametrize("delay", [None, 10])
def test_the_callers_pins_arrive_and_only_they(delay: int | None, workers: Workers) -> None:
    where = workers.actors.where
    for names in ([], ["default"], ["audit", "default"]):
        for name in names:
            pindb.pin(name)
        seen = workers.take(where.send_with_options(delay=delay))
        assert (seen["pinned"], seen["new"]) == (names, [])
    with pindb.pinning_context():
        assert workers.take(where.send_with_options(delay=delay))["pinned"] == []


def test_of_many_messages_at_once_each_sees_its_own_pins(workers: Workers) -> None:
    sent = []
    for number in range(60):
        with pindb.pinning_context():
            name = (None, "default", "audit")[number % 3]
            if name:
                pindb.pin(name)
            sent.append((name, workers.actors.pin.send("audit" if number % 2 else None)))
    seen = [(name, number % 2, workers.take(message)) for number, (name, message) in enumerate(sent)]
    for name, wrote, what in seen:
        assert what["new"] == (["audit"] if wrote else [])
        assert set(what["pinned"]) == {name, "audit" if wrote else None} - {None}
    assert len({what["thread"] for _, _, what in seen}) > 1


def test_a_retry_has_what_the_failed_attempt_wrote(workers: Workers) -> None:
    pindb.pin("default")
    assert workers.take(workers.actors.flaky.send())["pinned"] == ["audit", "default"]


def test_a_retry_after_a_time_limit_has_what_the_attempt_wrote(workers: Workers, tmp_path: Path) -> None:
    message = workers.actors.overrun.send_with_options(args=(str(tmp_path / "ran"),), time_limit=50)
    assert workers.take(message)["pinned"] == ["audit"]
    assert workers.take(workers.actors.where.send())["pinned"] == []


def test_a_pipelines_steps_have_what_the_steps_before_wrote(workers: Workers) -> None:
    pindb.pin("default")
    made = pipeline([workers.actors.pin.message("audit"), workers.actors.where.message()], broker=workers.broker)
    assert workers.take(made.run().messages[-1])["pinned"] == ["audit", "default"]


@pytest.mark.parametrize(("names", "pinned"), [((None, None), []), (("audit", None, "default"), ["audit", "default"])])
def test_a_groups_callback_has_what_every_member_wrote(names: Any, pinned: list[str], workers: Workers) -> None:
    callback = workers.actors.where.message()
    made = group([workers.actors.pin.message(name) for name in names], broker=workers.broker)
    made.add_completion_callback(callback)
    made.run()
    assert workers.take(callback)["pinned"] == pinned


def test_who_takes_a_result_adopts_what_the_actor_wrote(workers: Workers) -> None:
    message = workers.actors.pin.send("audit")
    message.get_result(backend=workers.broker.get_results_backend(), block=True, timeout=TIMEOUT)
    assert pindb.get_newly_pinned() == {"audit"}


@pytest.mark.parametrize("workers", ["redis-threads", "rabbitmq-threads"], indirect=True)
def test_an_async_actors_pins_come_back(workers: Workers) -> None:
    message = workers.actors.pin_async.send("audit")
    message.get_result(backend=workers.broker.get_results_backend(), block=True, timeout=TIMEOUT)
    assert pindb.get_newly_pinned() == {"audit"}


def test_a_retry_after_a_shutdown_has_what_the_attempt_wrote(tmp_path: Path, valkey: Valkey) -> None:
    with made_workers("rabbitmq", "threads", valkey) as workers:
        ran = tmp_path / "ran"
        message = workers.actors.overrun.send_with_options(args=(str(ran),), notify_shutdown=True)
        with workers.running() as process:
            wait_until(ran.exists, 30, process.log_text)
        with workers.running():
            assert workers.take(message)["pinned"] == ["audit"]


def test_a_message_delivered_again_after_its_worker_was_killed_has_the_same_pins(
    tmp_path: Path, valkey: Valkey
) -> None:
    with made_workers("rabbitmq", "threads", valkey) as workers:
        pindb.pin("default")
        with workers.running() as process:
            # Not before: of a process that dies while it starts, Dramatiq waits for 30 s to hear that it has started.
            message = workers.actors.crash.send(str(tmp_path / "crashed"))
            process.wait(30)
        with workers.running():
            assert workers.take(message)["pinned"] == ["default"]
