"""A Celery app with the hooks installed, for each test that asks for one, and all others out of the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery

import pindb_celery
import tests.shop.celery  # noqa: F401 - installed as it is imported: before the fixture looks
from pindb_celery.installed import installed
from tests.unit.pindb_celery.apps import celery_app


@pytest.fixture(autouse=True, scope="module")
def _alone() -> Iterator[None]:
    others = list(installed)
    for other in others:
        pindb_celery.uninstall(other)
    yield
    for other in others:
        pindb_celery.install(other)


@pytest.fixture
def app() -> Iterator[Celery]:
    with celery_app() as made:
        yield made
