"""The same servers with pindb; the old alias stays."""

from __future__ import annotations

# begin settings
import pindb

MASTER_DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "master"}}
DATABASE_SETS = {"default": [{"HOST": "replica-1", "ALIAS": "replica1"}]}  # the alias that you have
DATABASES = pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware"]
INSTALLED_APPS = ["pindb"]
PINDB_PINNING_SECONDS = 30
# end settings

ROOT_URLCONF = "tests.guides.multidb.after.shop"
