"""The queue Celery: one task, which performs a plan and returns the past of whoever takes its result."""

from __future__ import annotations

from typing import Any

from celery import chain, chord
from celery.exceptions import TimeoutError as ResultTimeoutError
from django.conf import settings

import pindb_celery
from tests.histories.store import messages as messages  # noqa: PLC0414 - listens to Celery's signals
from tests.histories.store.units import Unit
from tests.histories.store.work import HEADERS, Plan, perform
from tests.shop.celery import app

RESULT_TIMEOUT = 4.0

if settings.HISTORIES_OLD:
    pindb_celery.uninstall(app)


@app.task(bind=True, max_retries=3, name="histories.perform")
def run(self: Any, previous: Any, plan: Plan, parents: list[str]) -> list[str]:
    """`previous` is the result of the task before in a chain, or those of all members of a chord."""
    results = previous or []
    before = [segment for result in results for segment in ([result] if isinstance(result, str) else result)]
    unit = Unit("task", [*parents, *before])
    left = perform(unit, plan, in_task=True)
    if left:
        raise self.retry(args=(None, left, unit.past), countdown=0)
    return unit.past


def send(path: str, plans: list[Plan], past: list[str]) -> Any:
    """Send tasks: "task", "later" (a countdown), "chain", "chord"; of `work.HEADERS`: a header that is not ours."""
    first = run.s(None, plans[0], past)
    if path == "chain":
        return chain(first, *[run.s(plan, []) for plan in plans[1:]]).apply_async()
    if path == "chord":
        return chord([run.s(None, plan, past) for plan in plans[:-1]])(run.s(plans[-1], []))
    if path in HEADERS:
        return first.apply_async(headers={"pindb": HEADERS[path]})
    return first.apply_async(countdown=1 if path == "later" else None)


def taken(result: Any) -> list[str] | None:
    """Wait for the result and take it; None where it has not come, or the task has failed."""
    try:
        value = result.get(timeout=RESULT_TIMEOUT, propagate=False)
    except ResultTimeoutError:
        return None
    return value if isinstance(value, list) else None
