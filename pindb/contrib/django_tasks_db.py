"""Carries pins through django-tasks-db, beside the arguments in the row of a task; whoever loads the row sees none.

    TASKS = {"default": {"BACKEND": "pindb.contrib.django_tasks_db.DatabaseBackend"}}

A worker without pindb ignores what is stored there.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models.signals import post_init, post_save, pre_save
from django_tasks_db.backend import DatabaseBackend as PlainDatabaseBackend

from pindb.adapters import KEY, NO_HEADER, outgoing_in_row
from pindb.contrib.django_tasks import PinDbBackend

MODEL: Final = "django_tasks_database.DBTaskResult"
FIELD: Final = "args_kwargs"
PINS: Final = "pindb_pins"
"""Attribute of a row: the pins that it holds in the database."""


class DatabaseBackend(PinDbBackend, PlainDatabaseBackend):
    """The backend of django-tasks-db."""

    def carry(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Carry nothing there: the row does."""
        return kwargs

    def pins_of(self, task_result: Any) -> object:
        return vars(task_result.db_result).get(PINS, NO_HEADER)


def hide(instance: Any, **_: Any) -> None:
    """Take the pins out of a row that was loaded or saved: the admin shows the field as it is."""
    stored = vars(instance).get(FIELD)  # not there if it is deferred
    if isinstance(stored, dict) and KEY in stored:
        rest = dict(stored)
        setattr(instance, PINS, rest.pop(KEY))
        setattr(instance, FIELD, rest)


def show(instance: Any, using: str, *, raw: bool = False, update_fields: Any = None, **_: Any) -> None:
    """Put the pins into a row that is about to be saved: those of the caller, if it is new."""
    if raw or (update_fields is not None and FIELD not in update_fields):
        return
    if instance._state.adding:
        setattr(instance, PINS, outgoing_in_row(using, vars(instance).get(PINS)))
    pins = vars(instance).get(PINS)
    if pins is not None:
        setattr(instance, FIELD, {**getattr(instance, FIELD), KEY: pins})


post_init.connect(hide, sender=MODEL, weak=False, dispatch_uid="pindb.hide")
pre_save.connect(show, sender=MODEL, weak=False, dispatch_uid="pindb.show")
post_save.connect(hide, sender=MODEL, weak=False, dispatch_uid="pindb.hide")
