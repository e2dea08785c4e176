"""pindb as everywhere; views and consumer are async."""

from __future__ import annotations

from typing import Any

import pindb

MASTER_DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "master"}}
DATABASE_SETS: dict[str, list[dict[str, Any]]] = {"default": [{"HOST": "replica-1"}]}
DATABASES = pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware"]
INSTALLED_APPS = ["pindb"]
ROOT_URLCONF = "tests.guides.asgi.after.shop"
