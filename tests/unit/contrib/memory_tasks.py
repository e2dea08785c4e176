"""The task on that backend. Imported while the settings name it."""

from __future__ import annotations

from typing import Any

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task

from pindb.testing import queues


@task(takes_context=True)
def perform(context: Any, steps: Any, **more: Any) -> None:
    assert more == {} == context.task_result.kwargs
    queues.perform(steps, perform.enqueue)


@task(backend="immediate", takes_context=True)
def at_once(context: Any, steps: Any, **more: Any) -> None:
    assert more == {} == context.task_result.kwargs
    queues.perform(steps, at_once.enqueue)
