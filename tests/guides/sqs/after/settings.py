"""A shop whose tasks go through SQS."""

from __future__ import annotations

import json
import os
from typing import Any

import pindb

# begin settings
CELERY_BROKER_URL = "sqs://"  # keys come from the environment, or from the role of the machine
CELERY_BROKER_TRANSPORT_OPTIONS = {"region": "eu-central-1", "visibility_timeout": 3600}
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
# end settings

MASTER_DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "master"}}
DATABASE_SETS: dict[str, list[dict[str, Any]]] = {"default": [{"HOST": "replica-1"}]}
DATABASES = pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware"]
INSTALLED_APPS = ["pindb"]

# The tests' server.
CELERY_BROKER_URL = os.environ["GUIDE_SQS"]
CELERY_BROKER_TRANSPORT_OPTIONS |= json.loads(os.environ["GUIDE_SQS_OPTIONS"])
