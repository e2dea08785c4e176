"""Enqueues a job with the queue that `SHOP_QUEUE` names; the other one is not even loaded."""

from __future__ import annotations

from django.conf import settings


def enqueue(job: str, *args: object) -> str:
    """Return the id of the task; of an actor's message with the actor's name, which its result is found by."""
    if settings.SHOP_QUEUE == "dramatiq":
        from tests.shop import actors

        return f"{job}:{getattr(actors, job).send(*args).message_id}"
    from tests.shop import tasks

    return str(getattr(tasks, job).delay(*args).id)
