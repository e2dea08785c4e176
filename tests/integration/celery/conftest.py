"""A worker for each combination, started once, and the app that publishes to it."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from django.test import override_settings
from pytest_celery import (
    CeleryBackendCluster,
    CeleryBrokerCluster,
    CeleryTestBackend,
    CeleryTestBroker,
    CeleryTestSetup,
    CeleryTestWorker,
    CeleryWorkerCluster,
)

import pindb_celery
from tests.integration.celery.combinations import Combination, parameters
from tests.integration.celery.nodes import Service, WorkerProcess
from tests.servers import Valkey, wait_until
from tests.services import rabbitmq
from tests.shop.tables import create_tables

# However long a worker takes to start again, no pin lapses meanwhile.
PINNING_SECONDS = 600


class Surroundings:
    """A combination at work: `app` publishes to its worker, `record` reads what tasks without a caller have noted."""

    def __init__(self, combination: Combination, setup: CeleryTestSetup, record: Path) -> None:
        self.combination = combination
        self.setup = setup
        self.app = setup.app
        self._record = record

    def task(self, name: str, *args: Any, immutable: bool = True, **options: Any) -> Any:
        return self.app.signature(f"tests.integration.celery.project.{name}", args=args, immutable=immutable, **options)

    def records(self, key: str) -> list[dict[str, Any]]:
        lines = self._record.read_text().splitlines() if self._record.exists() else []
        return [entry for entry in map(json.loads, lines) if entry["key"] == key]

    def noted(self, key: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for `count` notes under `key` and return them, oldest first."""
        wait_until(lambda: len(self.records(key)) >= count, 60, lambda: f"no note {key!r}:\n{self.logs()}")
        return self.records(key)

    def logs(self) -> str:
        return str(self.setup.worker.logs()[-5000:])


Start = Callable[..., AbstractContextManager[Surroundings]]


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with Valkey() as started:
        yield started


@pytest.fixture(scope="session", autouse=True)
def _tables() -> None:
    create_tables()


@pytest.fixture(scope="session")
def start(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Start:
    numbers = itertools.count(1)

    @contextmanager
    def started(combination: Combination, *options: str, **conf: Any) -> Iterator[Surroundings]:
        folder = tmp_path_factory.mktemp("paths")
        queue = f"pindb-test-{uuid.uuid4().hex[:12]}"
        # A database each: the messages that workers have not acknowledged are all in one place of a database.
        broker = valkey.url(next(numbers)) if combination.broker == "valkey" else rabbitmq()
        backend = {
            "redis": valkey.url(0),
            "rpc": "rpc://",
            "file": folder.as_uri(),
            "database": f"db+sqlite:///{folder}/results.sqlite3",
            "django-db": "django-db",
        }[combination.backend]
        (folder / "results").mkdir()
        record = folder / "record"
        environment = {
            "PATHS_BROKER": broker,
            "PATHS_BACKEND": backend,
            "PATHS_QUEUE": queue,
            "PATHS_RECORD": str(record),
            "PATHS_CONF": json.dumps(conf),
            "SHOP_SETS": json.dumps(settings.DATABASE_SETS),
            "SHOP_PINDB": json.dumps({"PINDB_PINNING_SECONDS": PINNING_SECONDS}),
        }
        app = Celery("publisher", broker=broker, backend=backend, set_as_current=True)
        app.conf.update(task_default_queue=queue, result_chord_retry_interval=0.1, **conf)
        pindb_celery.install(app)
        setup = CeleryTestSetup(
            CeleryWorkerCluster(
                CeleryTestWorker(WorkerProcess(str(combination), combination.pool, environment, options), app)
            ),
            CeleryBrokerCluster(CeleryTestBroker(Service(combination.broker, broker), app)),
            CeleryBackendCluster(CeleryTestBackend(Service(combination.backend, backend), app)),
            app,
        )
        try:
            assert setup.ready()
            yield Surroundings(combination, setup, record)
        finally:
            setup.worker.teardown()
            if combination.broker == "rabbitmq":
                with app.connection_for_write() as connection:
                    connection.default_channel.queue_delete(queue)
            pindb_celery.uninstall(app)
            app.close()

    return started


@pytest.fixture(scope="session", params=parameters())
def paths(request: pytest.FixtureRequest, start: Start) -> Iterator[Surroundings]:
    """One combination after the other, each worker started once."""
    with start(request.param) as surroundings:
        yield surroundings


@pytest.fixture(autouse=True)
def _settings_of_the_worker() -> Iterator[None]:
    """For a test alone: the worker lives on while tests of other folders run."""
    with override_settings(PINDB_PINNING_SECONDS=PINNING_SECONDS):
        yield


@pytest.fixture
def key() -> str:
    """A name for the notes of one test."""
    return uuid.uuid4().hex
