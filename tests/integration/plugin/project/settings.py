"""The project's settings: the replica's host leads nowhere, as on the machine of a developer."""

from __future__ import annotations

import pindb

MASTER_DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DATABASE_SETS = {"default": [{"HOST": "replica.invalid"}]}
DATABASES = pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
INSTALLED_APPS = ["pindb", "tests.shop"]
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware"]
ROOT_URLCONF = "tests.integration.plugin.project.urls"
SECRET_KEY = "the project is only ever run by tests"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
