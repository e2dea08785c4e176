"""Our settings file: theirs, and pindb."""

from __future__ import annotations

# begin settings
import pindb
from tests.guides.not_ours.theirs.defaults import *  # noqa: F403 - from theirs.settings import *
from tests.guides.not_ours.theirs.defaults import DATABASES, INSTALLED_APPS, MIDDLEWARE

MASTER_DATABASES = {"default": DATABASES["default"]}
DATABASE_SETS = {"default": [{"HOST": "replica-1"}]}
DATABASES = {**DATABASES, **pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)}
DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]
MIDDLEWARE = ["pindb.middleware.PinDbMiddleware", *MIDDLEWARE]
INSTALLED_APPS = ["pindb", "tests.guides.not_ours.after.Replicas", *INSTALLED_APPS]
# end settings

GUIDE_CELERY = "tests.guides.not_ours.theirs.celery"
