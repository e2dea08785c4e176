"""The Celery app, with the recipe of 0.1.12."""

from __future__ import annotations

from typing import Any

from celery import Celery

# begin celery
from celery.signals import task_postrun

import pindb

app = Celery("shop", include=["tests.guides.orders.tasks"])
app.config_from_object("django.conf:settings", namespace="CELERY")


def end_pinning(**kwargs: Any) -> None:
    pindb.unpin_all()


task_postrun.connect(end_pinning)
# end celery
