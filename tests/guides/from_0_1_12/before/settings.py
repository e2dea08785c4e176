"""The settings of a project with 0.1.12."""

from __future__ import annotations

# begin settings
import pindb

MASTER_DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "master"},
    "billing": {"ENGINE": "django.db.backends.postgresql", "NAME": "billing", "HOST": "master"},
}
DATABASE_SETS = {"default": [{"HOST": "replica-1"}], "billing": [{"HOST": "replica-1"}]}
DATABASES = {}
DATABASES.update(pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS))
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
DATABASE_ROUTER_DELEGATE = "tests.guides.own_router.after.routers.Router"
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware"]  # it was MIDDLEWARE_CLASSES in Django 1.x
# end settings

ROOT_URLCONF = "tests.guides.own_router.billing.urls"
INSTALLED_APPS = ["tests.guides.own_router.billing"]
