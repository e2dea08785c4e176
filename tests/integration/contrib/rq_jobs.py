"""The job of RQ's tests."""

from __future__ import annotations

from typing import Any

import django_rq

from tests.integration.contrib import jobs


def perform(steps: Any) -> None:
    jobs.perform(steps, lambda more: django_rq.get_queue().enqueue(perform, more))


def on_success(job: Any, connection: Any, result: Any) -> None:
    jobs.perform([["report", job.meta["report"]], ["pin"]], perform)


def on_failure(job: Any, connection: Any, *error: Any) -> None:
    jobs.perform([["report", job.meta["report"]], ["pin"]], perform)
