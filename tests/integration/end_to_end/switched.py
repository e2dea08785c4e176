"""The shop's settings with a switch, in a cache that is there for nothing else; the log tells the process.

SHOP_SWITCH  the cache's URL
"""

from __future__ import annotations

import os

from tests.shop.settings import *  # noqa: F403

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ.get("SHOP_SWITCH")}
}
PINDB_SWITCH = "cache:default"
ROOT_URLCONF = "tests.integration.end_to_end.switched_site"
CELERY_IMPORTS = [ROOT_URLCONF]
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"process": {"format": "<%(process)d> %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "process"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
