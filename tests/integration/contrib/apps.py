"""The site's app: installs pindb in Huey, and has its tasks there."""

from __future__ import annotations

from django.apps import AppConfig


class Contrib(AppConfig):
    """Imports Huey's tasks once Django is ready, as `run_huey` does with modules named "tasks"."""

    name = "tests.integration.contrib"
    label = "contrib"

    def ready(self) -> None:
        from tests.integration.contrib import huey_tasks  # noqa: F401
