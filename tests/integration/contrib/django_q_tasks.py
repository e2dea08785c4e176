"""The task of django-q2's tests."""

from __future__ import annotations

from typing import Any

from django_q.tasks import async_task

from tests.integration.contrib import jobs

PERFORM = f"{__name__}.perform"


def perform(steps: Any) -> None:
    jobs.perform(steps, lambda more: async_task(PERFORM, more))
