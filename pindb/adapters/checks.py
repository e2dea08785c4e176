"""System checks of task queues: one is in use, and its messages carry no pins.

An adapter that nobody imports cannot say so. These checks look at what is loaded, and load no task queue themselves.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any, Final

from django.conf import settings
from django.core.checks import Info, Warning

from pindb.adapters import loaded
from pindb.config.checks import Check, Findings, config_in_force


def check_celery(**_: Any) -> Findings:
    """W023, I005: Celery is in use, and pindb is installed in no app of it, or no app is there to be asked."""
    if not _is_enabled() or find_spec("celery") is None:
        return []
    loaded.load_views()
    if loaded.celery_apps_with_pindb():
        return []
    if apps := loaded.project_apps():
        message = f"The Celery app {apps[0].main!r} is in use without pindb: its tasks may read old data."
        return [
            Warning(message, hint=f"Write pindb_celery.install(app) where the app is made. {IN_READY}", id="pindb.W023")
        ]
    if evidence := _celery_in_settings():
        message = (
            f"{evidence}, but Django starts without a Celery app: nobody can tell whether the tasks that this process "
            "publishes carry its pins."
        )
        hint = (
            "Import the app in the __init__.py of the project, as Celery's documentation says, and write "
            f"pindb_celery.install(app) where it is made. {IN_READY}"
        )
        return [Info(message, hint=hint, id="pindb.I005")]
    return []


IN_READY: Final = (
    "If the application is not your own, write it in ready() of an AppConfig of yours: "
    '"from shop.celery import app; pindb_celery.install(app)".'
)


def check_dramatiq(**_: Any) -> Findings:
    """W024: Dramatiq has a global broker, and pindb_dramatiq, which has checks of its own, is not even imported."""
    if not _is_enabled() or "pindb_dramatiq" in sys.modules:
        return []
    loaded.load_views()
    broker = loaded.dramatiq_broker()
    if broker is None or "pindb_dramatiq" in sys.modules:
        return []
    message = f"The Dramatiq broker {type(broker).__name__} is in use without pindb: its actors may read old data."
    hint = (
        "Call pindb_dramatiq.install(broker) once all middleware is added; with django-dramatiq, write "
        'DRAMATIQ_BROKER = {"MIDDLEWARE": ["pindb_dramatiq.PinDbMiddleware", ...]}, ours first.'
    )
    return [Warning(message, hint=hint, id="pindb.W024")]


def _is_enabled() -> bool:
    config = config_in_force()
    return config is not None and config.settings.enabled and any(db_set.replicas for db_set in config.sets.values())


def _celery_in_settings() -> str | None:
    """Return what says that the project uses Celery, where no app is loaded."""
    for name in dir(settings):
        if name.startswith("CELERY_"):
            return f"{name} is in the settings"
    for app in settings.INSTALLED_APPS:
        if app.startswith(("celery", "django_celery")):
            return f"{app!r} is in INSTALLED_APPS"
    return None


CHECKS: Final[tuple[Check, ...]] = (check_celery, check_dramatiq)
