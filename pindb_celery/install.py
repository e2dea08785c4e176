"""Connects a Celery app to pindb and disconnects it: one table of signals and one of patches drive both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from celery import Celery, signals
from celery.exceptions import SoftTimeLimitExceeded
from celery.local import Proxy
from celery.utils.dispatch import Signal

from pindb import PinDbConfigError, propagation
from pindb_celery import beat, lost, publishing, results, window
from pindb_celery.apps import installed

# weak=False: Celery's default is to forget a receiver that nothing else refers to, without a word.
RECEIVERS: Final[tuple[tuple[Signal, Callable[..., None], str], ...]] = (
    (signals.task_prerun, window.opens, "pindb.opens"),
    (signals.task_postrun, window.closes, "pindb.closes"),
)
PATCHES: Final = (*publishing.PATCHES, *beat.PATCHES, *window.PATCHES, *results.PATCHES, *lost.PATCHES)


def install(app: Celery) -> None:
    """Carry pins into and out of the tasks of `app`; twice is once. Raises `PinDbConfigError` for anything else.

    Readers without pindb ignore the header that messages have then.
    """
    app = _checked(app, "install")
    propagation.interrupted_by(SoftTimeLimitExceeded)
    for signal, receiver, uid in RECEIVERS:
        signal.connect(receiver, weak=False, dispatch_uid=uid)
    for patch in PATCHES:
        patch.apply()
    publishing.forget_sender(app)
    installed.add(app)


def uninstall(app: Celery) -> None:
    """Undo `install(app)`; nothing happens where it was not installed."""
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
        raise PinDbConfigError(f"pindb_celery.{name}() got {app!r}. Give it the Celery app: {name}(app).")
    return app._get_current_object() if isinstance(app, Proxy) else app
