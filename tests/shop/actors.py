"""The shop's jobs as Dramatiq actors: what a worker is started with, `dramatiq tests.shop.actors`."""

from __future__ import annotations

import os

import django
import dramatiq
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
if not apps.ready:  # in a worker, which knows nothing of Django
    django.setup()

from tests.shop import jobs
from tests.shop.broker import broker

confirm = dramatiq.actor(jobs.confirm, broker=broker, store_results=True)
invoice = dramatiq.actor(jobs.invoice, broker=broker, store_results=True)
report = dramatiq.actor(jobs.report, broker=broker, store_results=True)
