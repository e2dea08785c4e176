"""The queue Dramatiq: one actor performs a plan, another one what comes after a group. `dramatiq` runs this module."""

from __future__ import annotations

import json
import os
import secrets
from functools import cache
from typing import Any

import django
import dramatiq
import redis
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.histories.store.settings")
if not apps.ready:  # in a worker, which knows nothing of Django
    django.setup()

from django.conf import settings
from django_dramatiq.middleware import DbConnectionsMiddleware
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends import RedisBackend
from dramatiq.results.errors import ResultError

import pindb_dramatiq
from tests.histories.names import CLOCKS_APART
from tests.histories.store.messages import NoteMessages
from tests.histories.store.units import Unit
from tests.histories.store.work import HEADERS, Plan, perform
from tests.shop.broker import broker

RESULT_TIMEOUT_MS = 4000
HEARTBEAT_MS = round(1000 * (5 + CLOCKS_APART))
GROUP_SECONDS = 600

if isinstance(broker, RedisBroker):
    # The messages of a worker that was killed come back soon: by default it takes a minute, and a worker looks rarely.
    broker.heartbeat_timeout, broker.maintenance_chance = HEARTBEAT_MS, 50_000
else:
    broker.confirm_delivery = True  # or a sender cannot know what RabbitMQ has accepted
broker.add_middleware(NoteMessages())
broker.add_middleware(DbConnectionsMiddleware())  # connections that were cut do not stay
broker.add_middleware(GroupCallbacks(RedisBackend(url=settings.CELERY_RESULT_BACKEND)))
if settings.HISTORIES_OLD:
    pindb_dramatiq.uninstall(broker)


@dramatiq.actor(broker=broker, store_results=True, max_retries=2, min_backoff=200, max_backoff=500)
def run(
    plan: Plan, parents: list[str], previous: list[str] | None = None, *, group: str = "", member: int = 0
) -> list[str]:
    """`previous` is what the step before in a pipeline returned. A member leaves its past for the group's callback."""
    unit = Unit("actor", [*parents, *(previous or ())])
    perform(unit, plan, in_task=True)
    if group:
        # A second run replaces what the first one left: it knows nothing of that.
        _valkey().hset(group, str(member), json.dumps(unit.past))
        _valkey().expire(group, GROUP_SECONDS)
    return unit.past


@dramatiq.actor(broker=broker, max_retries=2, min_backoff=200, max_backoff=500)
def finish(plan: Plan, group: str) -> None:
    """Perform the plan that comes after all members of a group."""
    members: Any = _valkey().hvals(group)
    perform(Unit("callback", [segment for past in members for segment in json.loads(past)]), plan, in_task=True)


def send(path: str, plans: list[Plan], past: list[str]) -> Any:
    """Send messages: "task", "later" (a delay), "chain", "chord"; of `work.HEADERS`: an option that is not ours."""
    if path == "chain":
        first, *others = [run.message(plan, past if number == 0 else []) for number, plan in enumerate(plans)]
        for other in others:
            first = first | other
        return first.run()
    if path == "chord":
        name = f"group-{secrets.token_hex(5)}"
        members = [
            run.message_with_options(args=(plan, past), kwargs={"group": name, "member": number})
            for number, plan in enumerate(plans[:-1])
        ]
        group = dramatiq.group(members, broker=broker)
        group.add_completion_callback(finish.message(plans[-1], name))
        return group.run()
    options = {"pindb": HEADERS[path]} if path in HEADERS else {}
    return run.send_with_options(args=(plans[0], past), delay=1000 if path == "later" else None, **options)


def taken(message: Any) -> list[str] | None:
    """Wait for the result and take it; None where it has not come, or the actor has failed."""
    try:
        found: list[str] = message.get_result(block=True, timeout=RESULT_TIMEOUT_MS)
    except ResultError:
        return None
    return found


@cache
def _valkey() -> redis.Redis:
    return redis.Redis.from_url(settings.CELERY_RESULT_BACKEND)
