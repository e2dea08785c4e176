"""The Django app, which starts the recorder in every process of the store."""

from __future__ import annotations

from django.apps import AppConfig

from tests.journeys.store import recording


class StoreConfig(AppConfig):
    """Label "store"."""

    name = "tests.journeys.store"
    label = "store"

    def ready(self) -> None:
        """Record, if a run wants it."""
        recording.start()
