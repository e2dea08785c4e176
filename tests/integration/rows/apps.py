"""The app of the models here; installed by `conftest.library` only."""

from __future__ import annotations

from django.apps import AppConfig


class Rows(AppConfig):
    name = "tests.integration.rows"
    label = "rows"
