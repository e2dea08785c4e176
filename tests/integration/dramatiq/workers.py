"""Dramatiq's worker processes, as its command line runs them, and a broker to send to them."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pindb
from tests.integration.dramatiq.process import declare
from tests.servers import Kept, Valkey
from tests.unit.pindb_dramatiq.brokers import READY, make_broker
from tests.unit.pindb_dramatiq.sites import delete_queues, rabbitmq_url

ROOT = Path(__file__).parents[3]
TIMEOUT = 30_000
SIZE = ["--processes", "2", "--threads", "4"]


class Workers:
    """Worker processes, and a broker to send to them."""

    def __init__(self, url: str, redis: str, *, gevent: bool) -> None:
        self.url, self.redis, self.gevent = url, redis, gevent
        self.queue = f"pindb-{uuid.uuid4()}"
        self.broker = make_broker(url, redis, gevent=True)
        self.actors = declare(self.broker, self.queue)

    @contextlib.contextmanager
    def running(
        self, module: str = "tests.integration.dramatiq.process", more: Mapping[str, str] | None = None
    ) -> Iterator[Kept]:
        """Run the worker processes of `module`, whose environment has `more`."""
        # gevent's script patches before it imports anything else; `-m` could not.
        script = "dramatiq-gevent" if self.gevent else "dramatiq"
        env = {
            **os.environ,
            "PINDB_TEST_BROKER": self.url,
            "PINDB_TEST_REDIS": self.redis,
            "PINDB_TEST_QUEUE": self.queue,
            **({"PINDB_TEST_GEVENT": "1"} if self.gevent else {}),
            **(more or {}),
        }
        command = [str(Path(sys.executable).with_name(script)), module, "--path", str(ROOT)]
        with Kept([*command, *SIZE, "--worker-shutdown-timeout", "5000"], env=env, cwd=ROOT) as process:
            process.wait_for_log(READY)
            try:
                yield process
            except Exception as error:
                error.add_note(f"The worker's log:\n{process.log_text()}")
                raise

    def take(self, message: Any) -> Any:
        """Return a result, taken in a context of its own: taking it pins."""
        with pindb.pinning_context():
            return message.get_result(backend=self.broker.get_results_backend(), block=True, timeout=TIMEOUT)


@contextlib.contextmanager
def made_workers(broker: str, pool: str, valkey: Valkey) -> Iterator[Workers]:
    workers = Workers(valkey.url(4) if broker == "redis" else rabbitmq_url(), valkey.url(5), gevent=pool == "gevent")
    try:
        yield workers
    finally:
        if broker == "rabbitmq":
            delete_queues(workers.queue)
        workers.broker.close()
