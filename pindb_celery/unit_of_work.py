"""Opens a task's unit of work at `task_prerun` and closes it at `task_postrun`.

The task's body runs between the two. Celery also publishes its links, its errbacks and the next step of its chain
there, and stores its result. The signals come in pairs on every path that the process survives. Celery swallows every
exception of a hook, even a soft time limit that hits the hook by chance, and runs the body: so a hook that fails must
make the task read masters.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from celery import Task
from celery.app import trace

from pindb import adapters
from pindb.adapters import Patch, open_safely, pins_in
from pindb_celery.installed import installed
from pindb_celery.results import LiveMeta

META: Final = "meta"
"""Attribute of a request that django-celery-results stores with the result."""

_running: Final[dict[int, tuple[Any, adapters.Work]]] = {}
"""The units of work of the tasks that run, by `id` of the request. An entry keeps its request: no other has its id.

Two runs of one task id at once (a retry without countdown) have a request each, so they have a unit of work each. It is
no attribute of the request: tasks log the attributes as JSON.
"""


def headers_with(request: Any, name: str) -> Mapping[str, Any]:
    """Return the mapping in which to look up the header `name` of the message of `request`.

    Celery makes each header an attribute of the request. `request.headers` does not do: tracers (Sentry's, Datadog's)
    send a header with the name "headers", which replaces all others there. Only a request made by hand needs it, and
    that of a message whose task is not registered has none. What other publishers send there may be no mapping.
    """
    attributes: Mapping[str, Any] = request.__dict__
    if name in attributes:
        return attributes
    headers = getattr(request, "headers", None)
    return headers if isinstance(headers, Mapping) else {}


def on_task_start(task: Task[Any, Any], args: Any = (), **_: Any) -> None:
    """Open the unit of work of the task: receiver of `task_prerun`."""
    if task.app in installed:
        request = task.request
        _running[id(request)] = (request, open_safely(_open, (task, args), task.name, request.id or ""))


def _open(run: tuple[Task[Any, Any], Any]) -> adapters.Work:
    task, args = run
    request: Any = task.request
    if request.is_eager:
        return adapters.open_eager()
    batch = _batch(task, args)
    pins = [pins_in(each.request_dict) for each in batch] or [pins_in(headers_with(request, adapters.KEY))]
    adapters.discard_leftovers()
    work = adapters.open_message(*pins)
    if "django_celery_results" in sys.modules:
        for each in batch or (request,):
            setattr(each, META, LiveMeta(getattr(each, META, None) or {}))
    return work


def _batch(task: Task[Any, Any], args: Any) -> Sequence[Any]:
    """Return the requests of the messages that a task of celery-batches is called with; none if it is no such task.

    It runs once for many messages, which `task_prerun` has as the task's argument, and has the pins of all. The task's
    own request has no headers.
    """
    package = sys.modules.get("celery_batches")  # a module with such a task has imported it
    if package is None or not isinstance(task, package.Batches):
        return ()
    (requests,) = args
    return requests  # type: ignore[no-any-return]


def on_task_end(task: Task[Any, Any], **_: Any) -> None:
    """Close the unit of work of the task: receiver of `task_postrun`.

    Nothing happens if `on_task_start` did not run, after a SystemExit of another receiver for example.
    """
    running = _running.pop(id(task.request), None)
    if running is not None:
        running[1].close()


def _async_result(original: Callable[..., Any]) -> Callable[..., Any]:
    """`AsyncResult` in Celery's tracer, which looks there whether a message that came before has succeeded.

    If it has, Celery may publish its links and the next step of its chain, and sends no signal.
    """

    def async_result(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if result.app in installed:
            adapters.open_repeated()
        return result

    return async_result


PATCHES: Final = (Patch(trace, "AsyncResult", _async_result),)
