"""Every test runs in a unit of work of its own, so that none inherits the pins of another."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import django
import pytest
from asgiref.sync import SyncToAsync
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis

if "PYTEST_XDIST_WORKER" in os.environ:
    # A directory of its own, within that of the process that started it, which removes it.
    os.environ["SHOP_DIRECTORY"] = tempfile.mkdtemp(dir=os.environ["SHOP_DIRECTORY"])
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
os.environ.setdefault("SHOP_APPS", "django_celery_results")
django.setup()

# Hypothesis measures the machine with these: a busy one is no fault. Every run draws the same examples, so that a
# failure is everybody's. Units of work are opened and closed by the examples themselves.
hypothesis.register_profile(
    "pindb",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis.load_profile("pindb")

from django.apps import apps  # noqa: E402
from django.db import connections  # noqa: E402

import pindb  # noqa: E402
from tests.groups import Groups  # noqa: E402
from tests.shop.tables import create_tables  # noqa: E402


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    return Groups(config, log)


@pytest.fixture(scope="session")
def _tables() -> None:
    create_tables()


def _forget_connections() -> None:
    for connection in connections.all(initialized_only=True):
        connection.close()
        del connections[connection.alias]


@pytest.fixture
def shop_tables(_tables: None) -> Iterator[None]:
    """The shop's tables on SQLite, empty; its replicas are files that never catch up."""
    # The thread that asgiref keeps for `sync_to_async` may have connections to servers of tests that are over.
    SyncToAsync.single_thread_executor.submit(_forget_connections).result()
    with pindb.pinning_context():
        for model in reversed(list(apps.get_app_config("shop").get_models())):
            model._default_manager.all().delete()
    yield
    for connection in connections.all(initialized_only=True):
        connection.close()
