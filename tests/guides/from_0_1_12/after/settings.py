"""The same project today."""

from __future__ import annotations

# begin settings
import pindb

MASTER_DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "master"},
    "billing": {"ENGINE": "django.db.backends.postgresql", "NAME": "billing", "HOST": "master"},
}
DATABASE_SETS = {"default": [{"HOST": "replica-1"}], "billing": [{"HOST": "replica-1"}]}
DATABASES = pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
PINDB_DELEGATE_ROUTERS = ["tests.guides.own_router.after.routers.Router"]
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware"]  # the first
INSTALLED_APPS = ["pindb"]  # system checks and commands
# end settings

ROOT_URLCONF = "tests.guides.own_router.billing.urls"
INSTALLED_APPS += ["tests.guides.own_router.billing"]
