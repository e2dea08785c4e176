"""The tasks of Celery's tests, and what its worker runs."""

from __future__ import annotations

import os
from typing import Any

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from celery import Celery

import pindb_celery
from pindb.testing.queues import FailedOnPurpose
from tests.integration.contrib import jobs

VALKEY = os.environ["SHOP_BROKER_URL"]
BROKER, BACKEND = f"{VALKEY}/2", f"{VALKEY}/3"

app = Celery("contrib", broker=BROKER, backend=BACKEND, set_as_current=False)
app.conf.update(result_chord_retry_interval=0.1, worker_hijack_root_logger=False)
app.conf.broker_connection_retry_on_startup = True
pindb_celery.install(app)


@app.task
def perform(steps: Any) -> None:
    jobs.perform(steps, perform.delay)


@app.task(autoretry_for=(FailedOnPurpose,), max_retries=1, default_retry_delay=0)
def perform_again(steps: Any) -> None:
    jobs.perform(steps, perform.delay)
