"""The Celery app, with pindb installed."""

from __future__ import annotations

# begin celery
from celery import Celery

import pindb_celery

app = Celery("shop", include=["tests.guides.orders.tasks"])
app.config_from_object("django.conf:settings", namespace="CELERY")
pindb_celery.install(app)
# end celery
