"""The shop's jobs as Celery tasks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from tests.shop import jobs, runs
from tests.shop.celery import app
from tests.shop.seen import Outcome, Seen


def task(job: Callable[..., Seen]) -> Any:
    """Make a task of a job."""

    @app.task(max_retries=None)
    @wraps(job)
    def run(*args: object) -> Outcome:
        request = run.request
        try:
            return runs.run(job, *args, message=request.headers or {}, retries=request.retries)
        except runs.AgainError as again:
            raise run.retry(countdown=again.seconds) from again

    return run


confirm = task(jobs.confirm)
invoice = task(jobs.invoice)
report = task(jobs.report)
