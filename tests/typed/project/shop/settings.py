"""Settings with two replicas."""

import pindb

MASTER_DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3", "OPTIONS": {"timeout": 5}},
    "stock": {"ENGINE": "django.db.backends.sqlite3", "NAME": "stock.sqlite3"},
}
DATABASE_SETS = {
    "default": [{"NAME": "replica-1.sqlite3"}, {"OPTIONS": {"timeout": 1}, "ALIAS": "reports"}],
    "stock": [],
}
DATABASES = pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
INSTALLED_APPS = ["pindb", "shop"]
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware", "shop.middleware.LogMiddleware"]
ROOT_URLCONF = "shop.views"
SECRET_KEY = "only for the type checkers"
PINDB_SEPARATE_PINS = [*pindb.SEPARATE_PINS, "shop"]
