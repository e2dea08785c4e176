"""One settings module for web and workers; REPLICAS says for each process whether it reads replicas."""

from __future__ import annotations

# begin settings
import os

import pindb

MASTER_DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "master"}}
DATABASE_SETS = {"default": [{"HOST": "replica-1", "ALIAS": "replica"}]}
DATABASES = pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware"]
INSTALLED_APPS = ["pindb"]
PINDB_MODE = os.environ.get("REPLICAS", "shadow")  # a process that is not told otherwise reads the master, and counts
PINDB_REPORT = os.environ.get("PINDB_REPORT")  # a directory that all processes may write to, or "cache:default"
# end settings
