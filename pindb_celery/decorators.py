"""`@pinned` and `@unpinned` for tasks: right below `@app.task`, as for any function, and right above it."""

from __future__ import annotations

from typing import Any

from celery import Celery, Task, _state
from celery.local import PromiseProxy, Proxy

import pindb


class ForTasks:
    """Mixed into a decorator for functions: takes what `@app.task` and `@shared_task` return as well."""

    def __call__(self, target: Any) -> Any:
        """Return `target`, a task or a function, so that the decorator holds whenever it runs."""
        # What the two return is no task yet: looking at it would make one, before the app is configured. So its type is
        # asked, not its class.
        if type(target) is PromiseProxy:
            target.__then__(lambda: self._wrap(target._get_current_object()))
        elif type(target) is Proxy:
            self._wrap_shared(target)
        elif isinstance(target, Task):
            self._wrap(target)
        else:
            return super().__call__(target)  # type: ignore[misc]
        return target

    def _wrap(self, task: Task[Any, Any]) -> None:
        # As Celery's own autoretry does: workers and direct calls both go through the instance's `run`.
        task.run = super().__call__(task.run)  # type: ignore[misc,method-assign]

    def _wrap_shared(self, proxy: Any) -> None:
        """Wrap a `@shared_task` in every app that has it, each when it is finalized."""

        def wrap_in(app: Celery) -> None:
            # The proxy stands for the current app's task, whichever app that is at the moment.
            before = _state._tls.current_app  # type: ignore[attr-defined]
            app.set_current()
            try:
                self._wrap(proxy._get_current_object())
            finally:
                _state._set_current_app(before)  # type: ignore[attr-defined]

        def when_finalized(app: Celery) -> None:
            app.on_after_finalize.connect(lambda **_: wrap_in(app), weak=False)

        _state.connect_on_app_finalize(when_finalized)
        for app in _state._get_active_apps():  # type: ignore[attr-defined]  # as @shared_task does
            if app.finalized:
                wrap_in(app)


class pinned(ForTasks, pindb.pinned):  # noqa: N801 - read as a function
    """Pins DB sets, then runs the task: for one that must not decide on a replica's old data."""


class unpinned(ForTasks, pindb.unpinned_replica):  # noqa: N801 - read as a function
    """Runs the task on replicas whatever its caller wrote: for one that may read old data. Its own writes still pin."""
