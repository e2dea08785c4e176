"""Beat publishes with nothing pinned: what its scheduler writes, to a database of schedules say, is its own affair.

It is a process without units of work: pins that it made would go into each of its messages from then on.
"""

from __future__ import annotations

from typing import Any, Final

from celery.beat import Scheduler

import pindb
from pindb_celery._compat import Method, Patch
from pindb_celery.apps import installed


def _with_nothing_pinned(original: Method) -> Method:
    def apply_async(scheduler: Scheduler, *args: Any, **kwargs: Any) -> Any:
        if scheduler.app not in installed:
            return original(scheduler, *args, **kwargs)
        with pindb.pinning_context():
            return original(scheduler, *args, **kwargs)

    return apply_async


PATCHES: Final = (Patch(Scheduler, "apply_async", _with_nothing_pinned),)
