"""The shop's Celery app, with what its routing wants done at the tasks' edges."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from django.conf import settings

import pindb
import pindb_celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")

app = Celery("shop", include=["tests.shop.tasks"])
app.config_from_object("django.conf:settings", namespace="CELERY")


def end_pinning(**_: Any) -> None:
    """Do what the documentation of 0.1.12 says, after each task."""
    pindb.unpin_all()


if settings.SHOP_ROUTING == "pindb":
    pindb_celery.install(app)
elif settings.SHOP_ROUTING == "0.1.12":
    signals.task_postrun.connect(end_pinning, weak=False)
