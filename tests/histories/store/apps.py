"""The Django app, which puts a fault into pindb where a control wants one."""

from __future__ import annotations

import os

from django.apps import AppConfig


class HistoriesConfig(AppConfig):
    """Label "histories"."""

    name = "tests.histories.store"
    label = "histories"

    def ready(self) -> None:
        """Apply `SHOP_MUTANT`."""
        if mutant := os.environ.get("SHOP_MUTANT"):
            from tests.histories.store.mutants import MUTANTS

            MUTANTS[mutant]()
