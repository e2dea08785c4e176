"""The site of these tests on one master and one standby, which stands still; and Valkey."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from unittest import mock

import pytest

import pindb
from pindb.servers import health
from tests.integration.apart.place import ROOT, Place, create_tables, installed
from tests.servers import Kept, PostgresCluster, Valkey


@pytest.fixture(scope="package")
def valkey() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@pytest.fixture(scope="package")
def place(valkey: Valkey) -> Iterator[Place]:
    """The site, its apps installed once: some keep what they are set to when they are imported."""
    url = valkey.url().rpartition("/")[0]
    with PostgresCluster() as cluster, mock.patch.dict(os.environ, SHOP_BROKER_URL=url):
        cluster.create_database("site")
        cluster.wait_until_replayed()
        place = Place(cluster)
        from tests.integration.contrib import settings

        with installed(place, settings):
            create_tables()
            with pindb.pinning_context(), pindb.master("default"):
                from tests.shop.models import Customer

                Customer.objects.create(name="Ada")
            cluster.wait_until_replayed()
            cluster.standbys[0].pause_replay()
            health.forget()
            yield place


@pytest.fixture(scope="module")
def start(place: Place) -> Iterator[Callable[..., Kept]]:
    """Starts workers in Python processes, which end with the module."""
    with ExitStack() as stack:

        def start(*command: str, missing_header: str = "replica") -> Kept:
            environment = place.environment(
                "GreedyPinDbRouter",
                DJANGO_SETTINGS_MODULE="tests.integration.contrib.settings",
                SHOP_PINDB=json.dumps({"PINDB_MISSING_HEADER": missing_header}),
            )
            if "rqworker" in command and "rq.SimpleWorker" not in command:
                # A process for each job: measuring the coverage of each takes longer than all jobs.
                environment = {name: value for name, value in environment.items() if "COVERAGE" not in name}
            worker = Kept([sys.executable, *command], env=environment, cwd=ROOT)
            stack.callback(lambda: print(worker.log_text()))
            return stack.enter_context(worker)

        yield start
