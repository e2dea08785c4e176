"""A master and one replica, as django-multidb-router wants them."""

from __future__ import annotations

# begin settings
DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "master"},
    "replica1": {
        "ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "replica-1", "TEST": {"MIRROR": "default"},
    },
}  # fmt: skip
REPLICA_DATABASES = ["replica1"]
DATABASE_ROUTERS = ["multidb.PinningReplicaRouter"]
MIDDLEWARE = ["multidb.middleware.PinningRouterMiddleware"]
MULTIDB_PINNING_SECONDS = 30
# end settings

ROOT_URLCONF = "tests.guides.multidb.before.shop"
