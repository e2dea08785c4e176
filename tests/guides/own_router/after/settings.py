"""The same servers and aliases with pindb."""

from __future__ import annotations

# begin settings
import pindb

POSTGRES = {"ENGINE": "django.db.backends.postgresql"}
MASTER_DATABASES = {
    "primary": {**POSTGRES, "NAME": "shop", "HOST": "master"},
    "billing": {**POSTGRES, "NAME": "billing", "HOST": "master"},
}
DATABASE_SETS = {
    "primary": [{"HOST": "replica-1", "ALIAS": "replica"}],
    "billing": [{"HOST": "replica-1", "ALIAS": "billing_replica"}],
}
DATABASES = pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS, default="primary")
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
PINDB_DELEGATE_ROUTERS = ["tests.guides.own_router.after.routers.Router"]
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware"]
INSTALLED_APPS = ["pindb"]
# end settings

ROOT_URLCONF = "tests.guides.own_router.billing.urls"
INSTALLED_APPS += ["tests.guides.own_router.billing"]
