"""A master and one replica, as django_replicated wants them."""

from __future__ import annotations

# begin settings
from django_replicated.settings import *  # noqa: F403 - as its documentation says

DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "master"},
    "slave1": {
        "ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "replica-1", "TEST": {"MIRROR": "default"},
    },
}  # fmt: skip
REPLICATED_DATABASE_SLAVES = ["slave1"]
REPLICATED_FORCE_MASTER_COOKIE_MAX_AGE = 30
DATABASE_ROUTERS = ["django_replicated.router.ReplicationRouter"]
MIDDLEWARE = ["django_replicated.middleware.ReplicationMiddleware"]
# end settings

ROOT_URLCONF = "tests.guides.replicated.before.shop"
