"""Only the queues that a test makes are loaded."""

from __future__ import annotations

import dramatiq
import dramatiq.broker
import pytest
from celery import Celery

from pindb_celery.installed import installed


@pytest.fixture(autouse=True)
def apps(monkeypatch: pytest.MonkeyPatch) -> list[Celery]:
    """The Celery apps that are loaded: none, unless a test makes one. Nor has Dramatiq a broker."""
    made: list[Celery] = []
    monkeypatch.setattr("pindb.adapters.loaded.celery_apps", lambda: made)
    of_made = lambda: [app for app in made if app in installed]  # noqa: E731 - and not those of other tests
    monkeypatch.setattr("pindb.adapters.loaded.celery_apps_with_pindb", of_made)
    monkeypatch.setattr(dramatiq.broker, "global_broker", None)
    return made
