"""`@caught_up` in Dramatiq's worker processes, as its command lines run them: with threads and with gevent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq import group

import pindb
from tests.integration.dramatiq.workers import Workers, made_workers
from tests.integration.positions.goods import Cluster, databases, pause, resume, settings, write
from tests.integration.wait_for_replica import actors
from tests.integration.wait_for_replica.conftest import shop_settings
from tests.servers import Kept, Valkey, wait_until

REPLICAS = ("goods-1", "goods-2")


class Site:
    """Worker processes, and what is sent to them."""

    def __init__(self, workers: Workers, process: Kept) -> None:
        self.workers, self.process = workers, process
        self.actors = actors.declare(workers.broker, workers.queue)

    def sent(self, message: Any) -> Any:
        """Write the row that `message` will look for, and send it."""
        with pindb.pinning_context():
            write(message.args[0])
            return self.workers.broker.enqueue(message)

    def row(self, text: str) -> str:
        """Return a name of this site's own: names are unique in the table."""
        return f"{text} {self.workers.queue}"

    def wait_for_put_back(self, message: Any, times: int = 1) -> None:
        def put_back() -> bool:
            return self.process.log_text().count(f"[{message.message_id}] skipped") >= times

        wait_until(put_back, 20, self.process.log_text)


@pytest.fixture(
    scope="module",
    params=[
        "redis-threads",
        *(
            pytest.param(name, marks=pytest.mark.heavy)
            for name in ("rabbitmq-threads", "redis-gevent", "rabbitmq-gevent")
        ),
    ],
)
def site(request: pytest.FixtureRequest, valkey: Valkey, shared_cluster: Cluster) -> Iterator[Site]:
    broker, pool = request.param.split("-")
    with (
        made_workers(broker, pool, valkey) as workers,
        workers.running("tests.integration.wait_for_replica.actors", shop_settings(shared_cluster)) as process,
    ):
        with databases(*map(settings, (shared_cluster.master, *shared_cluster.standbys))):
            made = Site(workers, process)
        yield made


def test_an_actor_waits_for_a_replica_and_its_message_stays_what_it_was(goods: Cluster, site: Site) -> None:
    pause(goods)
    row = site.row("waits")
    message = site.sent(site.actors.patient.message_with_options(args=(row,), custom="kept"))
    site.wait_for_put_back(message, 2)
    resume(goods)
    told = site.workers.take(message)
    assert told.pop("alias") in REPLICAS
    assert told == {"found": True, "id": message.message_id, "retries": 0, "put_back": True, "custom": "kept"}


def test_after_the_timeout_an_actor_runs_on_the_master(goods: Cluster, site: Site) -> None:
    pause(goods)
    told = site.workers.take(site.sent(site.actors.impatient.message(site.row("late"))))
    assert (told["alias"], told["found"], told["put_back"]) == ("goods", True, True)


def test_waiting_costs_none_of_the_retries(goods: Cluster, site: Site) -> None:
    pause(goods)
    message = site.sent(site.actors.fails_once.message(site.row("again")))
    site.wait_for_put_back(message, 2)
    resume(goods)
    told = site.workers.take(message)
    assert (told["found"], told["retries"]) == (True, 1)


def test_a_group_is_complete_once_a_member_that_was_put_back_has_run(goods: Cluster, site: Site) -> None:
    pause(goods)
    rows = [site.row("one"), site.row("two")]
    members = [site.actors.patient.message(row) for row in rows]
    callback = site.actors.completed.message()
    with pindb.pinning_context():
        for row in rows:
            write(row)
        job = group(members, broker=site.workers.broker)
        job.add_completion_callback(callback)
        job.run()
    for member in members:
        site.wait_for_put_back(member)
    resume(goods)
    assert site.workers.take(callback) == "completed"
    assert all(site.workers.take(member)["found"] for member in members)
