"""A task's unit of work: open from `task_prerun` to `task_postrun`.

Between the two lie the body, its links, errbacks and the next step of its chain, and the storing of its result. The two
come in pairs on every path on which the process survives. Celery swallows what a hook raises, a soft time limit that
happens to hit it included, and runs the body: so a hook that fails ends on the masters.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

from celery import Task
from celery.app import trace

from pindb import propagation
from pindb_celery._compat import Method, Patch
from pindb_celery.apps import installed
from pindb_celery.results import LiveMeta

logger: Final = logging.getLogger("pindb.celery")

META: Final = "meta"
"""Attribute of a request that django-celery-results stores with the result."""

WORK: Final = "pindb_work"
"""Attribute of a request: two runs of one task id at once (a retry without countdown) have a request each."""


def header(request: Any, name: str) -> Any:
    """Return what the message of `request` holds under `name`.

    Tracers (Sentry's, Datadog's) send a header that is called "headers" itself: it takes the place of all of them in
    `request.headers`. As an attribute each header is there, but for a request that was made by hand.
    """
    own = vars(request).get(name)
    return (request.headers or {}).get(name) if own is None else own


def opens(task: Task[Any, Any], **_: Any) -> None:
    """`task_prerun`."""
    if task.app not in installed:
        return
    request = task.request
    try:
        if request.is_eager:
            work = propagation.open_eager()
        else:
            value = header(request, propagation.KEY)
            if value is None and propagation.KEY in vars(request):
                value = ""  # null is no pins that pindb has written
            work = propagation.open_message(value)
            if "django_celery_results" in sys.modules:
                setattr(request, META, LiveMeta(getattr(request, META, None) or {}))
    except Exception:
        logger.exception("pindb could not open the unit of work of %s: it reads masters.", task.name)
        work = propagation.open_lost(None)
    setattr(request, WORK, work)


def closes(task: Task[Any, Any], **_: Any) -> None:
    """`task_postrun`; nothing happens where `opens` did not run, after another receiver's SystemExit say."""
    work = getattr(task.request, WORK, None)
    if work is not None:
        work.close()


def _repeated(original: Method) -> Method:
    """`AsyncResult` in the tracer: a message that came before has its result looked at, to see whether it succeeded.

    If it did, Celery publishes its links and the next step of its chain, if need be, and no signal is sent.
    """

    def async_result(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if result.app in installed:
            propagation.open_repeated()
        return result

    return async_result


PATCHES: Final = (Patch(trace, "AsyncResult", _repeated),)
