"""The settings of the project GUIDE_PROJECT ("multidb.after"), led to the tests' servers.

The project's own settings are those that its guide shows: their hosts are "master" and "replica-1". GUIDE_SERVERS is
JSON: what to write into `DATABASES` for each host, and the schema that has the project's tables.
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import Any

PROJECT = project = os.environ["GUIDE_PROJECT"]
servers = json.loads(os.environ["GUIDE_SERVERS"])

# What a project's settings may say otherwise.
ROOT_URLCONF = "tests.guides.orders.urls"
MIDDLEWARE: list[str] = []
INSTALLED_APPS: list[str] = []
DATABASES: dict[str, dict[str, Any]] = {}
CELERY_BROKER_URL = os.environ["GUIDE_BROKER"]

globals().update(
    {name: value for name, value in vars(import_module(f"tests.guides.{project}.settings")).items() if name.isupper()}
)

for entry in filter(None, DATABASES.values()):  # an empty one is Django's way to say that there is no "default"
    entry.update({**servers[entry["HOST"]], "NAME": entry["NAME"]})
    entry["OPTIONS"] = {"options": f"-c search_path={servers['schema']}"}
INSTALLED_APPS = [*INSTALLED_APPS, "tests.guides.orders"]
CELERY_RESULT_BACKEND = os.environ["GUIDE_RESULTS"]
CELERY_TASK_DEFAULT_QUEUE = project
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
SECRET_KEY = "the guides' projects are only ever run by tests"
ALLOWED_HOSTS = ["testserver"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
