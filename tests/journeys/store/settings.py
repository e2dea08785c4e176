"""The shop's settings, with the store's: sessions, accounts, and two more variables.

SHOP_SESSIONS   "db" or "cache"
SHOP_CACHE      the URL of the cache
SHOP_RECORDS    the file that records are appended to; without it nothing is recorded
"""

from __future__ import annotations

import os

from tests.shop import settings as shop
from tests.shop.settings import *  # noqa: F403

INSTALLED_APPS = [
    *shop.INSTALLED_APPS,
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "tests.journeys.store",
]
MIDDLEWARE = [
    "tests.journeys.store.middleware.record_requests",  # first: what the others read is recorded too
    *shop.MIDDLEWARE,
    "django.contrib.sessions.middleware.SessionMiddleware",
    "tests.journeys.store.middleware.count_clicks",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
if shop.SHOP_ROUTING == "plain":
    DATABASE_ROUTERS = [*shop.DATABASE_ROUTERS, "tests.journeys.store.routers.StoreRouter"]
else:
    PINDB_DELEGATE_ROUTERS = [
        "tests.journeys.store.routers.QuestionsRouter",
        *shop.PINDB_DELEGATE_ROUTERS,
        "tests.journeys.store.routers.StoreRouter",
    ]

ROOT_URLCONF = "tests.journeys.store.urls"
LOGIN_URL = "/signup"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # what a real one costs is not measured
SESSION_ENGINE = f"django.contrib.sessions.backends.{os.environ.get('SHOP_SESSIONS', 'db')}"
SESSION_SAVE_EVERY_REQUEST = True
if "SHOP_CACHE" in os.environ:
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["SHOP_CACHE"]}
    }

CELERY_IMPORTS = ["tests.journeys.store.tasks"]
CELERY_TASK_IGNORE_RESULT = True
