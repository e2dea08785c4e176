"""The shop's settings: what a run may vary comes from `SHOP_*` environment variables, whose defaults work alone.

SHOP_ROUTING         "pindb", "0.1.12" (pindb's routers, and its ancestor's recipe for Celery), "plain" (no pindb),
                     "master" (no replicas), "multidb" (django-multidb-router) or "replicated" (django_replicated)
SHOP_MASTERS         JSON, MASTER_DATABASES
SHOP_SETS            JSON, DATABASE_SETS
SHOP_LEGACY          JSON, the unmanaged alias "legacy"
SHOP_DIRECTORY       where SQLite files lie; by default a temporary directory, for the life of the process
SHOP_QUEUE           "celery" or "dramatiq"
SHOP_QUEUE_NAME      the name of Dramatiq's queue in the broker
SHOP_COUNTDOWN       how many seconds after it is enqueued a task starts that follows a write
SHOP_RETRIES         how often a task that has found no row is run again
SHOP_BROKER_URL      the queue's broker
SHOP_RESULT_BACKEND  where the queue keeps results
SHOP_CELERY          JSON, more CELERY_* settings
SHOP_PINDB           JSON, more PINDB_* settings
SHOP_APPS            more INSTALLED_APPS
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured

import pindb
from tests.shop.files import sqlite_file

ROUTINGS: Final = ("pindb", "0.1.12", "plain", "master", "multidb", "replicated")


def _json(name: str, default: Callable[[], dict[str, Any]] = dict) -> Any:
    text = os.environ.get(name)
    return json.loads(text) if text else default()


def _sqlite(alias: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": sqlite_file(alias),
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }


def _sqlite_replicas(master: str, count: int) -> list[dict[str, Any]]:
    return [{"NAME": sqlite_file(f"{master}-{number}")} for number in range(1, count + 1)]


SHOP_ROUTING = os.environ.get("SHOP_ROUTING", "pindb")
if SHOP_ROUTING not in ROUTINGS:
    raise ImproperlyConfigured(f"SHOP_ROUTING is {SHOP_ROUTING!r}. Write one of {', '.join(map(repr, ROUTINGS))}.")

MASTER_DATABASES = _json("SHOP_MASTERS", lambda: {alias: _sqlite(alias) for alias in ("default", "audit")})
# By default each replica is a file of its own, and stays as `tests.shop.tables` left it: it never catches up.
DATABASE_SETS = _json(
    "SHOP_SETS", lambda: {"default": _sqlite_replicas("default", 2), "audit": _sqlite_replicas("audit", 1)}
)
DATABASES = {"legacy": _json("SHOP_LEGACY", lambda: _sqlite("legacy"))}
DATABASES.update(pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = ["tests.shop", *os.environ.get("SHOP_APPS", "").split()]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
if SHOP_ROUTING == "plain":
    DATABASE_ROUTERS = ["tests.shop.routers.PlainReplicaRouter", "tests.shop.routers.AuditRouter"]
elif SHOP_ROUTING == "master":
    DATABASE_ROUTERS = ["tests.shop.routers.AuditRouter"]
elif SHOP_ROUTING in {"multidb", "replicated"}:
    # Both know one master, "default".
    _replicas = [f"default-{number}" for number, _ in enumerate(DATABASE_SETS["default"], 1)]
    if SHOP_ROUTING == "multidb":
        REPLICA_DATABASES = _replicas
        _middleware, _router = "multidb.middleware.PinningRouterMiddleware", "multidb.PinningReplicaRouter"
    else:
        _defaults = vars(import_module("django_replicated.settings"))
        globals().update({name: value for name, value in _defaults.items() if name.isupper()})
        REPLICATED_DATABASE_SLAVES = _replicas
        _middleware = "django_replicated.middleware.ReplicationMiddleware"
        _router = "django_replicated.router.ReplicationRouter"
    MIDDLEWARE = [_middleware, *MIDDLEWARE]
    DATABASE_ROUTERS = ["tests.shop.routers.AuditRouter", _router]
else:
    INSTALLED_APPS = ["pindb", *INSTALLED_APPS]
    MIDDLEWARE = ["pindb.middleware.PinDbMiddleware", *MIDDLEWARE]
    DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
    PINDB_DELEGATE_ROUTERS = ["tests.shop.routers.AuditRouter"]
    globals().update(_json("SHOP_PINDB"))

SHOP_QUEUE = os.environ.get("SHOP_QUEUE", "celery")
SHOP_QUEUE_NAME = os.environ.get("SHOP_QUEUE_NAME", "default")
SHOP_COUNTDOWN = float(os.environ.get("SHOP_COUNTDOWN", "0"))
SHOP_RETRIES = int(os.environ.get("SHOP_RETRIES", "0"))
CELERY_BROKER_URL = os.environ.get("SHOP_BROKER_URL", "memory://")
CELERY_RESULT_BACKEND = os.environ.get("SHOP_RESULT_BACKEND", "cache+memory://")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
globals().update(_json("SHOP_CELERY"))

SILENCED_SYSTEM_CHECKS = ["pindb.I005"]  # `tests.shop.enqueue` loads the queue's app with the first task

ROOT_URLCONF = "tests.shop.urls"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
SECRET_KEY = "the shop is only ever run by tests"
USE_TZ = True
TIME_ZONE = "UTC"
# Django's own default shows a view's exception only under DEBUG.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
