"""The tasks of the tests of Django's tasks: one for each backend."""

from __future__ import annotations

from typing import Any

from django.tasks import TaskContext, task

from tests.integration.contrib import jobs


@task(takes_context=True)
def perform(context: TaskContext, steps: Any, **more: Any) -> None:
    assert more == {} == context.task_result.kwargs
    jobs.perform(steps, perform.enqueue)


@task(backend="immediate", takes_context=True)
def at_once(context: TaskContext, steps: Any, **more: Any) -> None:
    assert more == {} == context.task_result.kwargs
    jobs.perform(steps, at_once.enqueue)


@task(backend="rq", queue_name="tasks", takes_context=True)
def on_rq(context: TaskContext, steps: Any, **more: Any) -> None:
    assert more == {} == context.task_result.kwargs
    jobs.perform(steps, on_rq.enqueue)


@task(backend="huey")
def on_huey(steps: Any) -> None:
    jobs.perform(steps, on_huey.enqueue)
