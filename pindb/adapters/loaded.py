"""What this process has loaded of task queues: pindb itself imports none of them, and looks at what is there."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Mapping
from typing import Any, Final

from django.urls import get_resolver


def load_views() -> None:
    """Import the views, as Django's own checks do before or after: they may be the first to import a queue's app."""
    with contextlib.suppress(Exception):  # Django's own check reports it
        get_resolver().url_patterns  # noqa: B018 - imports them


def celery_apps() -> list[Any]:
    """Return the Celery apps in this process, in the order of their names."""
    state = sys.modules.get("celery._state")
    # A private name: the public one, `celery.current_app`, makes an app where there is none.
    return sorted(state._get_active_apps() if state is not None else (), key=lambda app: repr(app.main))


def celery_apps_with_pindb() -> Collection[Any]:
    """Return the Celery apps that pindb is installed in."""
    installed: Collection[Any] = getattr(sys.modules.get("pindb_celery.installed"), "installed", ())
    return installed


def project_apps() -> list[Any]:
    """Return the Celery apps of the project: all but the one that Celery makes for want of any."""
    with_pindb = celery_apps_with_pindb()
    return [app for app in celery_apps() if app.main != NOBODYS or app in with_pindb]


NOBODYS: Final = "default"
"""The name of the app that Celery makes for want of any."""


def dramatiq_broker() -> Any:
    """Return Dramatiq's global broker, None without one."""
    return getattr(sys.modules.get("dramatiq.broker"), "global_broker", None)


OWN: Final = ("celery.", "pindb.")
"""Beginnings of the names of tasks that are not the project's."""


def load_tasks() -> None:
    """Import the tasks of the Celery apps, as a worker does when it starts."""
    load_views()
    for app in celery_apps():
        app.loader.import_default_modules()


def tasks() -> Mapping[str, Any]:
    """Return the tasks and actors that this process has loaded, by the names in their messages."""
    found = dict(getattr(dramatiq_broker(), "actors", {}))
    for app in celery_apps():
        found.update((name, task) for name, task in app.tasks.items() if not name.startswith(OWN))
    return found
