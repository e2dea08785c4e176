"""The router has changed, and nothing else: multidb's names are still used, and its alias is in no DB set."""

from __future__ import annotations

import pindb

MASTER_DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "master"}}
DATABASE_SETS = {"default": [{"HOST": "replica-1"}]}
DATABASES = pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)
DATABASES["replica1"] = {**MASTER_DATABASES["default"], "HOST": "replica-1", "TEST": {"MIRROR": "default"}}
REPLICA_DATABASES = ["replica1"]
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware", "multidb.middleware.PinningRouterMiddleware"]
INSTALLED_APPS = ["pindb"]
MULTIDB_PINNING_SECONDS = 30
ROOT_URLCONF = "tests.guides.multidb.before.shop"
