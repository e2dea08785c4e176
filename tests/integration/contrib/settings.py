"""The settings of a site that has every queue of `pindb.contrib`, for its workers and for the tests in this process.

SHOP_BROKER_URL  the Valkey that RQ and Huey use
The databases come from SHOP_MASTERS and SHOP_SETS.
"""

from __future__ import annotations

import os

from tests.shop import settings as shop

globals().update({name: value for name, value in vars(shop).items() if name.isupper()})

INSTALLED_APPS = [
    "pindb",
    "tests.shop",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django_q",
    "django_rq",
    "django_tasks_db",
    "huey.contrib.djhuey",
    "tests.integration.contrib.apps.Contrib",
    "pindb.contrib.django_q.PinDbDjangoQ",
]
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
PINDB_DELEGATE_ROUTERS: list[str] = []
MIDDLEWARE = [
    "pindb.middleware.PinDbMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "tests.integration.contrib.urls"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

VALKEY = os.environ["SHOP_BROKER_URL"]
TASKS = {
    "default": {"BACKEND": "pindb.contrib.django_tasks_db.DatabaseBackend"},
    "immediate": {"BACKEND": "pindb.contrib.django_tasks.ImmediateBackend"},
    "huey": {"BACKEND": "huey.contrib.djhuey.tasks_backend.HueyBackend"},
    "rq": {"BACKEND": "django_tasks_rq.RQBackend", "QUEUES": ["tasks"]},
}
RQ_QUEUES = {name: {"URL": f"{VALKEY}/0"} for name in ("default", "tasks")}
RQ = {"QUEUE_CLASS": "pindb.contrib.django_rq.Queue", "JOB_CLASS": "pindb.contrib.rq.Job"}
HUEY = {"name": "site", "immediate": False, "connection": {"url": f"{VALKEY}/1"}}
# Failed tasks are delivered again after `retry` seconds.
Q_CLUSTER = {"name": "site", "orm": "default", "workers": 1, "timeout": 2, "retry": 3, "poll": 0.1, "save_limit": 0}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
