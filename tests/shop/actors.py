"""The shop's jobs as Dramatiq actors: what a worker is started with, `dramatiq tests.shop.actors`."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import django
import dramatiq
from django.apps import apps
from django.conf import settings
from dramatiq.errors import Retry
from dramatiq.middleware import CurrentMessage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
if not apps.ready:  # in a worker, which knows nothing of Django
    django.setup()

from tests.shop import jobs, runs
from tests.shop.broker import broker
from tests.shop.seen import Outcome, Seen


def actor(job: Callable[..., Seen]) -> Any:
    """Make an actor of a job."""

    @wraps(job)
    def run(*args: object) -> Outcome:
        message: Any = CurrentMessage.get_current_message()
        options = message.options if message else {}
        try:
            return runs.run(job, *args, message=options, retries=options.get("retries", 0))
        except runs.AgainError as again:
            raise Retry(delay=round(again.seconds * 1000)) from again

    return dramatiq.actor(run, broker=broker, queue_name=settings.SHOP_QUEUE_NAME, store_results=True)


confirm = actor(jobs.confirm)
invoice = actor(jobs.invoice)
report = actor(jobs.report)
