"""Enqueues a job with the queue that `SHOP_QUEUE` names; the other one is not even loaded."""

from __future__ import annotations

import time

from django.conf import settings

from tests.shop.runs import PUBLISHED


def enqueue(job: str, *args: object) -> str:
    """Return the id of the task; of a message of Dramatiq's with queue and actor, which its result is found by."""
    countdown = 0 if job == "report" else settings.SHOP_COUNTDOWN  # a report follows no write
    if settings.SHOP_QUEUE == "dramatiq":
        from tests.shop import actors

        options = {"delay": round(countdown * 1000)} if countdown else {}
        message = getattr(actors, job).send_with_options(args=args, **options, **{PUBLISHED: time.time()})
        return f"{message.queue_name}:{job}:{message.message_id}"
    from tests.shop import tasks

    options = {"countdown": countdown} if countdown else {}
    return str(getattr(tasks, job).apply_async(args, headers={PUBLISHED: time.time()}, **options).id)
