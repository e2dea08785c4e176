"""Tables whose pins are no business of the rest of their DB set: sessions and logs, queues and locks.

Both settings name app labels and `app.Model`s. What counts is a model's table: a proxy model belongs to the table that
it reads, and a statement tells nothing but the table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.apps import apps
from django.conf import settings as django_settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from django.db.models import Model

SEPARATE_PINS: Final[tuple[str, ...]] = (
    "sessions",
    "user_sessions",  # django-user-sessions
    "qsessions",  # django-qsessions
    "silk",  # django-silk
    "request",  # django-request
    "auditlog",  # django-auditlog
    "easyaudit",  # django-easy-audit
    "drf_api_logger",
    "debug_toolbar",
)
"""The default of `PINDB_SEPARATE_PINS`: sessions, request logs, audit logs, profilers."""

MASTER_ONLY: Final[tuple[str, ...]] = (
    "django_cache",  # the label of Django's database cache
    "django_tasks_database",  # django-tasks-db
    "django_celery_results",
    "django_celery_beat",
    "django_dramatiq",
    "django_q",  # django-q2
    "procrastinate",
    "django_apscheduler",
    "background_task",  # django-background-tasks
    "axes",  # django-axes counts failed logins
)
"""The default of `PINDB_MASTER_ONLY`: job queues, schedules, result stores, locks."""

PACKAGES: Final = {
    "sessions": "django.contrib.sessions",
    "django_tasks_database": "django_tasks",  # django_tasks_db, or django_tasks.backends.database before
    "procrastinate": "procrastinate.contrib.django",
}
"""What the path of the app begins with, where that is not the label itself.

An app of the project's own with the same label is not meant by a default.
"""

DATABASE_CACHE: Final = "django.core.cache.backends.db.BaseDatabaseCache"
"""The class that database caches inherit from. It cannot be imported inside a settings module."""

ON_MASTER: Final = "!"
"""Stands for the label of the tables of `PINDB_MASTER_ONLY`, whose apps make no difference."""

REST: Final = ""
"""Stands for the label of the tables that are not treated apart."""

UNKNOWN_TABLE: Final = ""
"""Stands for the table of a statement that does not tell it."""


class Apart(NamedTuple):
    """The tables that are treated apart."""

    labels: Mapping[str, str]
    """By table: the label of its app, which is a group of its own, or `ON_MASTER`."""
    read_with: Mapping[str, frozenset[str]]
    """By table: the labels, other than its own, of models that are read together with it.

    Those are the children of its model, and the models that it links, many to many.
    """


def treated_apart(separate_pins: Iterable[str], master_only: Iterable[str]) -> Apart:
    """Return the tables of the installed apps that the two settings name; none before Django has loaded the models.

    An entry that names a model counts more than one that names its app. If both settings name a table alike, it is
    read on the master only.
    """
    if not apps.models_ready:
        return Apart({}, {})
    models = [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]
    parents = {model: {parent._meta.db_table for parent in model._meta.get_parent_list()} for model in models}
    labels = _labels(models, _Entries(separate_pins), _Entries(master_only))
    _drop_children_of_others(labels, parents)
    return Apart(labels, _read_with(labels, parents))


def _labels(models: Iterable[type[Model]], separate: _Entries, on_master: _Entries) -> dict[str, str]:
    """Return the labels as the settings say, by table; none for a table that they do not name."""
    labels = dict.fromkeys(_cache_tables() if on_master.precision("django_cache", "cacheentry") else (), ON_MASTER)
    for model in models:
        label = _label(model, separate, on_master)
        if label != REST:
            labels[model._meta.db_table] = label
    return labels


def _label(model: type[Model], separate: _Entries, on_master: _Entries) -> str:
    owner: Any = model._meta.auto_created or model  # the model that has the many-to-many field
    named = owner._meta
    precision = separate.precision(named.app_label, named.model_name)
    if on_master.precision(named.app_label, named.model_name) >= max(precision, 1):
        return ON_MASTER
    return named.app_label if precision else REST


def _drop_children_of_others(labels: dict[str, str], parents: Mapping[type[Model], Iterable[str]]) -> None:
    """Drop each table with pins of its own whose model has a parent with others: a write to the parent pins those."""
    for model, tables in parents.items():
        own = labels.get(model._meta.db_table, REST)
        if own not in (REST, ON_MASTER) and any(labels.get(table) != own for table in tables):
            del labels[model._meta.db_table]


def _read_with(labels: Mapping[str, str], parents: Mapping[type[Model], Iterable[str]]) -> dict[str, frozenset[str]]:
    """Return `Apart.read_with`. `parents` has all models, with the tables of their parents."""
    read_with: defaultdict[str, set[str]] = defaultdict(set)
    for model, tables in parents.items():
        own = labels.get(model._meta.db_table, REST)
        for table in tables:
            read_with[table].add(own)
        for link, linked in _links(model):
            read_with[link] |= {own, labels.get(linked, REST)}
    others = {table: frozenset(found - {labels.get(table, REST), ON_MASTER}) for table, found in read_with.items()}
    return {table: found for table, found in others.items() if found}


def _links(model: type[Model]) -> Iterator[tuple[str, str]]:
    """Produce the table of each many-to-many field of the model, and the table of the models that it links."""
    for field in model._meta.local_many_to_many:
        link: Any = field.remote_field
        if not all(hasattr(getattr(link, end, None), "_meta") for end in ("through", "model")):
            continue  # a model that is not installed, as Django's checks say; or a package's field without a table
        yield link.through._meta.db_table, link.model._meta.db_table


class _Entries:
    """The entries of one setting, compared as Django compares them."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._entries: Final = {entry.lower() for entry in entries if names_package(entry)}

    def precision(self, app_label: str, model_name: str) -> int:
        """Return 2 if the entries name the model, 1 if they name its app, 0 otherwise."""
        if f"{app_label}.{model_name}".lower() in self._entries:
            return 2
        return int(app_label.lower() in self._entries)


def names_package(entry: str) -> bool:
    """Return whether an entry means what is installed: an app of the project's own may have the label of a default."""
    if entry not in (*SEPARATE_PINS, *MASTER_ONLY) or entry not in apps.app_configs:
        return True
    return apps.app_configs[entry].name.startswith(PACKAGES.get(entry, entry))


def _cache_tables() -> Iterator[str]:
    """Produce the tables of the database caches, which have no models."""
    for cache in django_settings.CACHES.values():
        with suppress(Exception):  # a cache whose backend cannot be imported fails where it is used
            backend = import_string(str(cache.get("BACKEND")))
            if any(f"{base.__module__}.{base.__name__}" == DATABASE_CACHE for base in getattr(backend, "__mro__", ())):
                yield str(cache.get("LOCATION"))
