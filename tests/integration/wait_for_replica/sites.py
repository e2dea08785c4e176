"""A Celery worker of these tests, and the app that publishes to it."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from celery import Celery
from kombu.transport.native_delayed_delivery import CELERY_DELAYED_DELIVERY_EXCHANGE, MAX_LEVEL, level_name

import pindb_celery
from tests.integration.positions.goods import Cluster
from tests.integration.wait_for_replica.combinations import Combination
from tests.integration.wait_for_replica.conftest import shop_settings
from tests.servers import Kept, Valkey
from tests.services import rabbitmq

ROOT = Path(__file__).parents[3]


class Site:
    """A worker, and the app that publishes to it."""

    def __init__(self, app: Celery, worker: Kept) -> None:
        self.app = app
        self.worker = worker

    def task(self, name: str, *args: object, module: str = "project", **options: object) -> object:
        return self.app.signature(f"tests.integration.wait_for_replica.{module}.{name}", args=args, **options)

    def put_back(self, task_id: str) -> int:
        """Return how often a task has been put back."""
        return self.worker.log_text().count(f"[{task_id}] ignored")


@contextmanager
def made_site(combination: Combination, cluster: Cluster, valkey: Valkey) -> Iterator[Site]:
    broker = valkey.url(0) if combination.broker == "valkey" else rabbitmq()
    backend, queue = valkey.url(1), f"caught-up-{uuid.uuid4().hex[:8]}"
    environment = {
        **shop_settings(cluster),
        "CAUGHT_UP_BROKER": broker,
        "CAUGHT_UP_BACKEND": backend,
        "CAUGHT_UP_QUEUE": queue,
        "CAUGHT_UP_CELERY": json.dumps(combination.settings),
    }
    quick = ["--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel=INFO", "--concurrency=2"]
    options = [f"--pool={combination.pool}", f"--hostname={queue}@%h", *quick]
    command = [sys.executable, "-m", "celery", "-A", "tests.integration.wait_for_replica.project", "worker", *options]
    # As in tests/integration/celery/nodes.py.
    inherited = {
        name: os.environ[name] for name in os.environ if "prefork" in combination.pool or "COVERAGE" not in name
    }
    app = Celery("publisher", broker=broker, backend=backend)
    app.conf.update(task_default_queue=queue, result_extended=True, **combination.settings)
    pindb_celery.install(app)
    try:
        with (
            queues_deleted(app, queue, combination),
            Kept(command, env={**inherited, **environment}, cwd=ROOT) as worker,
        ):
            worker.wait_for_log(" ready.", 60)
            yield Site(app, worker)
    finally:
        pindb_celery.uninstall(app)
        app.close()


@contextmanager
def queues_deleted(app: Celery, queue: str, combination: Combination) -> Iterator[None]:
    """Leave RabbitMQ as it was: Celery's queues for delayed messages are the same for all who have quorum queues."""
    levels = [level_name(level) for level in range(MAX_LEVEL + 1)] if combination.broker == "quorum" else []
    if levels:
        with app.connection_for_write() as connection:
            try:
                connection.default_channel.queue_declare(levels[0], passive=True)
                levels = []
            except connection.channel_errors:
                pass
    try:
        yield
    finally:
        if combination.broker != "valkey":
            with app.connection_for_write() as connection:
                channel = connection.default_channel
                for name in (queue, *levels):
                    channel.queue_delete(name)
                    channel.exchange_delete(name)
                if levels:
                    channel.exchange_delete(CELERY_DELAYED_DELIVERY_EXCHANGE)
