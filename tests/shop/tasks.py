"""The shop's jobs as Celery tasks."""

from __future__ import annotations

from tests.shop import jobs
from tests.shop.celery import app

confirm = app.task(jobs.confirm)
invoice = app.task(jobs.invoice)
report = app.task(jobs.report)
