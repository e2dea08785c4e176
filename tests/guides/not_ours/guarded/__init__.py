"""The same application: one of its tasks reads the master, and tasks that are published before the write are told."""

from __future__ import annotations

# begin app
from typing import Any

from celery.signals import task_prerun
from django.apps import AppConfig

import pindb


def read_the_master(task: Any, **kwargs: Any) -> None:
    if task.name == "tests.guides.orders.tasks.report":
        pindb.pin("default")


class Masters(AppConfig):
    name = "tests.guides.not_ours.guarded"  # after "replicas" in INSTALLED_APPS
    label = "masters"

    def ready(self) -> None:
        task_prerun.connect(read_the_master, weak=False)


# end app
