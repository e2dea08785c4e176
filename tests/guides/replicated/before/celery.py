"""The Celery app, which knows nothing of replicas."""

from __future__ import annotations

from celery import Celery

app = Celery("shop", include=["tests.guides.orders.tasks"])
app.config_from_object("django.conf:settings", namespace="CELERY")
