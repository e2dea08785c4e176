"""The task queues of this process: whether pindb is installed in each, whether its broker answers, and its tables."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Any

from django.apps import apps
from django.db import router
from django.db.models import Model

from pindb.adapters import loaded
from pindb.api.context_managers import pinning_context
from pindb.config.database_sets import Config, MasterOnlyTables
from pindb.config.tables import MASTER_ONLY, names_package
from pindb.exceptions import first_line
from pindb.management.doctor.findings import Findings, ok, wrong
from pindb.routing.rules import routing_key
from pindb.servers.timed_call import ask_all


def queues(config: Config, seconds: float) -> Findings:
    """Look at Celery's apps, Dramatiq's broker and the tables of queues; ask each broker for at most `seconds`."""
    loaded.load_views()
    try:
        loaded.load_tasks()
    except Exception as error:
        yield wrong(f"The tasks cannot be imported: {first_line(error)}.", "Start a worker to see where: it fails too.")
    celery, dramatiq = loaded.project_apps(), loaded.dramatiq_broker()
    for app in celery:
        yield from _celery(app, seconds)
    if dramatiq is not None:
        yield from _dramatiq(dramatiq, seconds)
    if not celery and dramatiq is None:
        yield ok("This process has loaded no Celery app and no Dramatiq broker.")
    yield from _tables(config)


def _celery(app: Any, seconds: float) -> Findings:
    with_pindb = loaded.celery_apps_with_pindb()
    if app in with_pindb:
        yield ok(f"Messages of the Celery app {app.main!r} carry pins.")
    elif with_pindb:  # if there is none at all, a system check says so
        yield wrong(
            f"Messages of the Celery app {app.main!r} carry no pins: its tasks may read old data.",
            "Write pindb_celery.install(app) where that app is made.",
        )
    yield from _answers(f"The broker of the Celery app {app.main!r}", partial(_connect_celery, app), seconds)


def _connect_celery(app: Any) -> str:
    with app.connection_for_write() as connection:
        connection.connect()
        return str(connection.as_uri())


def _dramatiq(broker: Any, seconds: float) -> Findings:
    kind = type(broker).__name__
    if any(type(each).__module__.startswith("pindb_dramatiq") for each in broker.middleware):
        yield ok(f"Messages of Dramatiq's {kind} carry pins.")
    yield from _answers(f"Dramatiq's {kind}", partial(_connect_dramatiq, broker), seconds)


def _connect_dramatiq(broker: Any) -> str:
    if hasattr(broker, "client"):  # Redis
        broker.client.ping()
    elif hasattr(type(broker), "connection"):  # RabbitMQ: a connection for each thread
        _ = broker.connection
        del broker.connection
    return ""


def _answers(what: str, connect: Any, seconds: float) -> Findings:
    answer = ask_all({what: lambda: (connect(),)}, seconds)[what]
    if isinstance(answer, str):
        yield wrong(f"{what} does not answer: {answer}.", "Start it, or correct its URL in the settings.")
    else:
        yield ok(f"{what} answers{f' at {answer[0]}' if answer[0] else ''}.")


def _tables(config: Config) -> Findings:
    """Say which queues' tables are read on replicas, although their readers have to see the last state."""
    on_replicas: defaultdict[str, list[str]] = defaultdict(list)
    on_master: set[str] = set()
    for model in apps.get_models(include_auto_created=True):
        label = model._meta.app_label
        if label not in MASTER_ONLY or not names_package(label):
            continue
        if _is_read_on_replicas(config, model):
            on_replicas[label].append(model._meta.label)
        else:
            on_master.add(label)
    for label, models in on_replicas.items():
        yield wrong(
            f"{models[0]}{f' and {len(models) - 1} more models' if models[1:] else ''} of the queue {label!r} are read "
            "on replicas: a worker takes jobs there that are not there yet, or are done.",
            f'Write PINDB_MASTER_ONLY = [*pindb.MASTER_ONLY, ...], or add "{label}" to it.',
        )
    if labels := sorted(on_master - on_replicas.keys()):
        yield ok(f"The tables of queues are read on the master: {', '.join(labels)}.")


def _is_read_on_replicas(config: Config, model: type[Model]) -> bool:
    try:
        with pinning_context():
            alias = router.db_for_write(model)
    except Exception:  # a system check says so
        return False
    part = config.by_key.get(routing_key(config, model, alias))
    return part is not None and not isinstance(part, MasterOnlyTables) and bool(part.replicas)
