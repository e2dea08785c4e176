"""The decorators for tasks: `@pinned`, `@unpinned` and `@caught_up`.

Each goes right below `@app.task` (or `@shared_task`), as for any function, or right above it.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Final, Self, TypeVar

from celery import Celery, Task, _state
from celery.exceptions import Ignore
from celery.local import PromiseProxy, Proxy
from celery.utils.quorum_queues import detect_quorum_queues

import pindb
from pindb import PinDbException, adapters
from pindb_celery import publishing
from pindb_celery.unit_of_work import headers_with

KEPT: Final = ("parent_id", "argsrepr", "kwargsrepr")
"""Headers that Celery would write again: it would make the task its own parent, and the others may hide secrets."""

Target = TypeVar("Target")
"""A task, or a function: it comes back with its own type."""

DEATHS: Final = ("x-death", "x-first-death-", "x-last-death-")
"""Prefixes of the headers in which RabbitMQ notes the queues that have delayed a message. Older Celery sends them on,
and RabbitMQ drops a message that comes to such a queue again."""


class ForTasks:
    """Mixed into a decorator for functions: makes it accept the results of `@app.task` and `@shared_task`, too."""

    def __call__(self, target: Target) -> Target:
        """Return `target`, a task or a function, so that the decorator holds whenever it runs."""
        # The results of `@app.task` and `@shared_task` are proxies. Even `isinstance` would create the task, before the
        # app is configured. So this asks for the type.
        task: Any = target
        if type(task) is PromiseProxy:
            task.__then__(lambda: self._wrap(task._get_current_object()))
        elif type(task) is Proxy:
            self._wrap_shared(task)
        elif isinstance(task, Task):
            self._wrap(task)
        else:
            return super().__call__(target)  # type: ignore[misc,no-any-return]
        return target

    def _wrap(self, task: Task[Any, Any]) -> None:
        # As Celery's own autoretry does: workers and direct calls both call the instance's `run`.
        task.run = super().__call__(task.run)  # type: ignore[misc,method-assign]

    def _wrap_shared(self, proxy: Any) -> None:
        """Wrap a `@shared_task` in every app that has it, as soon as the app is finalized."""

        def wrap_in(app: Celery) -> None:
            # The proxy stands for the current app's task, whichever app is current.
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
    """Pins DB sets, then runs the task: for a task that must not decide on a replica's old data.

        @app.task
        @pindb_celery.pinned("default")
        def charge(order_id): ...

    Raises `PinDbConfigError` for an alias that does not exist.
    """


class unpinned(ForTasks, pindb.unpinned_replica):  # noqa: N801 - read as a function
    """Makes the task read replicas despite its caller's pins: for one that may read old data. Its own writes pin.

        @app.task
        @pindb_celery.unpinned("default")
        def count_visitors(): ...

    Raises `PinDbConfigError` for an alias that does not exist.
    """


class caught_up(ForTasks, adapters.CaughtUp):  # noqa: N801 - read as a function
    """Requeues the task until a replica has its caller's writes; after `timeout` seconds it reads the master.

        @app.task
        @pindb_celery.caught_up("default", timeout=30)
        def send_receipt(order_id): ...

    The task's message is published again as it was, with a countdown, whatever `apply_async` of the task's class would
    do. This run ends with Celery's `Ignore`, which acknowledges the old message, and stores, counts and calls nothing.
    Raises `PinDbConfigError` for an alias that does not exist, and for a `timeout` that is not above 0.
    """

    def __enter__(self) -> Self:
        task = _state.get_current_task()
        if task is None:
            return self
        request = task.request
        if request.called_directly or request.is_eager or task.app.conf.task_always_eager:
            return self
        since = headers_with(request, adapters.SINCE).get(adapters.SINCE)
        requeue = self.requeue_once(
            request, f"{task.name}[{request.id}]", task.run, since, partial(_publish_again, task)
        )
        if requeue is not None:
            raise Ignore(f"requeued for {requeue.seconds:.2f} s: no replica has its caller's writes yet")
        return self


def _publish_again(task: Task[Any, Any], requeue: adapters.Requeue) -> None:
    """Publish the message of the task's run again."""
    request = task.request
    sent = request.as_execution_options()["headers"] or {}
    headers = {
        **{name: value for name, value in sent.items() if not name.startswith(DEATHS)},
        **{name: vars(request)[name] for name in KEPT if name in vars(request)},
        adapters.SINCE: requeue.since,
    }
    options: dict[str, Any] = {"retries": request.retries, "headers": headers, "add_to_parent": False}
    # Celery before 5.7 takes `ignore_result` from the task. The request's class attribute would look like the caller's
    # choice, so this passes only the request's own attribute.
    if vars(request).get("ignore_result") is not None:
        options["ignore_result"] = request.ignore_result
    message = task.signature_from_request(request, countdown=_countdown(task.app, requeue.seconds), **options)
    # Not message.apply_async(): the class of the task may refuse to publish it again. Tasks that are to be queued only
    # once (celery-singleton, celery-once) hold a lock from their first publish until they have run.
    with publishing.noting_names() as published:
        Task.apply_async(task, message.args, message.kwargs, **message.options)
    if task.name not in published:
        raise PinDbException(f"Celery has published no message of {task.name}: something between kept it back.")


def _countdown(app: Celery, seconds: float) -> float:
    """Return a countdown that the app's queues can keep: quorum queues keep whole seconds only."""
    driver = app.producer_pool.connections.connection.transport.driver_type
    return math.ceil(seconds) if detect_quorum_queues(app, driver)[0] else seconds
