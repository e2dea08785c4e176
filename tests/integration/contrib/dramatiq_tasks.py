"""The actor of Dramatiq's tests, and what its worker runs."""

from __future__ import annotations

import os
from typing import Any

import django
from django.apps import apps

if not apps.ready:
    django.setup()

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends import RedisBackend as RedisLimits
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

import pindb_dramatiq
from tests.integration.contrib import jobs

VALKEY = os.environ["SHOP_BROKER_URL"]
BROKER, BACKEND = f"{VALKEY}/4", f"{VALKEY}/5"

broker: Any = RedisBroker(url=BROKER)
broker.add_middleware(GroupCallbacks(RedisLimits(url=BACKEND)))
broker.add_middleware(Results(backend=RedisBackend(url=BACKEND), store_results=True))
pindb_dramatiq.install(broker)


@dramatiq.actor(broker=broker, max_retries=0)
def perform(steps: Any, *results: Any) -> None:
    """Do `steps`. What the step of a pipeline before this one has returned is added to the arguments."""
    jobs.perform(steps, perform.send)
