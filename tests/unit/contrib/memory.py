"""A task backend that pindb does not know, with pindb's mixin: its messages are JSON in a list."""

from __future__ import annotations

import json
from collections import deque
from typing import Any, ClassVar

try:
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import TaskContext, TaskResult, TaskResultStatus
    from django.tasks.signals import task_finished, task_started
except ImportError:  # Django 5.2: the backport
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import TaskContext, TaskResult, TaskResultStatus
    from django_tasks.signals import task_finished, task_started

from django.utils.crypto import get_random_string
from django.utils.module_loading import import_string

from pindb.contrib.django_tasks import PinDbBackend


class MemoryBackend(BaseTaskBackend):
    supports_async_task = True
    supports_get_result = True
    signals: ClassVar[bool] = True
    messages: ClassVar[deque[str]] = deque()
    results: ClassVar[dict[str, Any]] = {}

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        self.validate_task(task)
        message = {"id": get_random_string(8), "path": task.module_path, "args": args, "kwargs": kwargs}
        self.messages.append(json.dumps(message))
        return self.result(message)

    def get_result(self, result_id: Any) -> Any:
        return self.result(json.loads(self.results[result_id]))

    def result(self, message: Any) -> Any:
        times = dict.fromkeys(("enqueued_at", "started_at", "finished_at", "last_attempted_at"))
        return TaskResult(
            task=import_string(message["path"]),
            id=message["id"],
            status=TaskResultStatus.READY,
            args=message["args"],
            kwargs=message["kwargs"],
            backend=self.alias,
            errors=[],
            worker_ids=[],
            **times,
        )

    def work(self) -> None:
        while self.messages:
            text = self.messages.popleft()
            message = json.loads(text)
            self.results[message["id"]] = text
            result = self.result(message)
            if self.signals:
                task_started.send(type(self), task_result=result)
            try:
                result.task.call(TaskContext(task_result=result), *result.args, **result.kwargs)
            except Exception:
                pass
            finally:
                task_finished.send(type(self), task_result=result)


class Backend(PinDbBackend, MemoryBackend):
    """The backend as its users name it."""
