"""Connects a Celery app to pindb and disconnects it: one table of signals and one of patches drive both.

Celery (looked for in 5.5 to 5.7) has no signal or hook for these jobs, so pindb patches it. Each patch goes as soon as
Celery offers a way of its own.

- `publishing.py`: a signal cannot refuse a publish, because Celery swallows the exceptions of receivers.
- `unit_of_work.py`: Celery does not run a task again that succeeded before, but may publish its successors again.
- `results.py`: no signal tells that a task's caller reads its result.
- `chords.py`: no signal tells that a task publishes the body of its chord, or gives the chord up.
- `processes.py`: no signal tells that beat publishes, or that a worker's main process publishes the errbacks of a
  task that was killed, revoked or refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

import celery
from celery import Celery, signals
from celery.exceptions import SoftTimeLimitExceeded
from celery.local import Proxy
from celery.utils.dispatch import Signal

from pindb import PinDbConfigError, adapters
from pindb_celery import chords, processes, publishing, results, unit_of_work
from pindb_celery.installed import installed

logger: Final = logging.getLogger("pindb")

# weak=False: by default Celery forgets a receiver that nothing else refers to, without a word.
RECEIVERS: Final[tuple[tuple[Signal, Callable[..., None], str], ...]] = (
    (signals.task_prerun, unit_of_work.on_task_start, "pindb.on_task_start"),
    (signals.task_postrun, unit_of_work.on_task_end, "pindb.on_task_end"),
    (signals.worker_process_shutdown, processes.on_process_end, "pindb.on_process_end"),
)
MODULES: Final = (publishing, unit_of_work, results, chords, processes)
PATCHES: Final = tuple(patch for module in MODULES for patch in module.PATCHES)


def install(app: Celery) -> None:
    """Carry pins into and out of the tasks of `app`; twice is once.

        app = Celery("shop")
        pindb_celery.install(app)

    Workers and callers without pindb ignore the header that messages then have. Raises `PinDbConfigError` for anything
    but a Celery app, and for a Celery that pindb does not know.
    """
    app = _checked(app, "install")
    adapters.interrupted_by(SoftTimeLimitExceeded)
    for signal, receiver, uid in RECEIVERS:
        signal.connect(receiver, weak=False, dispatch_uid=uid)
    for patch in PATCHES:
        try:
            patch.apply()
        except AttributeError as error:
            raise PinDbConfigError(
                f"Celery {celery.__version__} has no {patch.owner.__name__}.{patch.name}, which pindb patches to carry "
                "pins.",
                "This pindb knows Celery 5.5 to 5.7. Upgrade pindb, or: pip install 'celery<5.8'.",
            ) from error
    publishing.forget_sender(app)
    if app not in installed:
        # Where the app keeps no results, the one of this task is kept all the same.
        app.task(name=adapters.PROBE, shared=False, ignore_result=False)(adapters.probed)
        logger.info("pindb carries pins with the messages of the Celery app %r.", app.main)
    installed.add(app)


def uninstall(app: Celery) -> None:
    """Undo `install(app)`; nothing happens if pindb is not installed in `app`. The probe task stays, and does no harm.

    Raises `PinDbConfigError` for anything but a Celery app.
    """
    app = _checked(app, "uninstall")
    installed.discard(app)
    if not installed:
        for signal, receiver, uid in RECEIVERS:
            signal.disconnect(receiver, dispatch_uid=uid)
        for patch in PATCHES:
            patch.undo()
    publishing.forget_sender(app)


def _checked(app: Any, name: str) -> Celery:
    if not isinstance(app, Celery):
        raise PinDbConfigError(f"pindb_celery.{name}() got {app!r}.", f"Give it the Celery app: {name}(app).")
    return app._get_current_object() if isinstance(app, Proxy) else app
