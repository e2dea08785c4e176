"""The app of these models; installed by `conftest.place` only."""

from __future__ import annotations

from django.apps import AppConfig


class Journal(AppConfig):
    name = "tests.integration.apart.journal"
    label = "journal"
