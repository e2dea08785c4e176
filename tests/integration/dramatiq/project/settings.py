"""The shop's settings, and django-dramatiq's.

PROJECT_REDIS       URL of a Redis, the broker; without one it is a StubBroker
PROJECT_APPS        more INSTALLED_APPS
PROJECT_MIDDLEWARE  DRAMATIQ_BROKER["MIDDLEWARE"], names with spaces between them
"""

from __future__ import annotations

import os

from tests.shop.settings import *  # noqa: F403
from tests.shop.settings import INSTALLED_APPS

INSTALLED_APPS = [
    "django_dramatiq",
    "tests.integration.dramatiq.project",
    *os.environ.get("PROJECT_APPS", "").split(),
    *INSTALLED_APPS,
]

REDIS = os.environ.get("PROJECT_REDIS")
DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.redis.RedisBroker" if REDIS else "dramatiq.brokers.stub.StubBroker",
    "OPTIONS": {"url": REDIS} if REDIS else {},
    "MIDDLEWARE": os.environ["PROJECT_MIDDLEWARE"].split(),
}
DRAMATIQ_RESULT_BACKEND = {
    "BACKEND": "dramatiq.results.backends.redis.RedisBackend" if REDIS else "dramatiq.results.backends.StubBackend",
    "BACKEND_OPTIONS": {"url": REDIS} if REDIS else {},
}
DRAMATIQ_TASKS_DATABASE = "default"
