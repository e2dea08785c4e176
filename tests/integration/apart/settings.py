"""The settings of a site with these packages: for processes of their own, and for the tests in this one.

APART_ROUTER  the class of the router
The databases come from SHOP_MASTERS and SHOP_SETS.
"""

from __future__ import annotations

import os

import pindb
from tests.shop import settings as shop

globals().update({name: value for name, value in vars(shop).items() if name.isupper()})

INSTALLED_APPS = [
    "pindb",
    "tests.shop",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "auditlog",
    "django_celery_beat",
    "django_celery_results",
    "django_q",
    "rest_framework",
    "silk",
    "tests.integration.apart.press",
    "tests.integration.apart.journal",
]
TASKS = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}
try:
    import django.tasks  # noqa: F401 - not there on Django 5.2
except ImportError:
    pass
else:
    INSTALLED_APPS += ["django_tasks_db"]
    TASKS["default"]["BACKEND"] = "django_tasks_db.DatabaseBackend"

DATABASE_ROUTERS = [f"pindb.{os.environ.get('APART_ROUTER', 'GreedyPinDbRouter')}"]
PINDB_DELEGATE_ROUTERS: list[str] = []
PINDB_SEPARATE_PINS = [*pindb.SEPARATE_PINS, "journal"]
SESSION_ENGINE = "django.contrib.sessions.backends.db"
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "table": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache_table",
        "OPTIONS": {"MAX_ENTRIES": 20},
    },
    "own": {"BACKEND": "tests.integration.apart.caches.OwnCache", "LOCATION": "own_cache_table"},
}
Q_CLUSTER = {"name": "site", "orm": "default", "timeout": 30, "retry": 60}
MIDDLEWARE = [
    "pindb.middleware.PinDbMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "tests.integration.apart.site"
CELERY_BROKER_URL = shop.CELERY_BROKER_URL
CELERY_RESULT_BACKEND = "django-db"
CELERY_TASK_TRACK_STARTED = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
