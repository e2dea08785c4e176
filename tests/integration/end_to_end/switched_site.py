"""The shop's addresses, and those that tell where a process reads; a task tells it, too."""

from __future__ import annotations

import os
import time
from typing import TypedDict

from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from pindb.config.database_sets import current_config
from tests.shop import observe
from tests.shop.celery import app
from tests.shop.models import Order

READS = 40
PAUSE_SECONDS = 0.02


class Place(TypedDict):
    """Where a unit of work has read, in which process and state; None if the state has changed meanwhile."""

    pid: int
    alias: str
    state: str | None


def read() -> str:
    """Return the alias that a query has really run on."""
    with observe.reads() as reads:
        Order.objects.exists()
    (alias,) = reads
    return alias


def tell() -> Place:
    """Tell where this process reads. It takes a moment, so that its siblings get their turn."""
    before = str(current_config().rollout)
    alias = read()
    after = str(current_config().rollout)
    time.sleep(PAUSE_SECONDS)
    return Place(pid=os.getpid(), alias=alias, state=before if before == after else None)


app.task(tell, name="where_switched", shared=False)


def where(request: HttpRequest) -> JsonResponse:
    """GET /where: tell it."""
    return JsonResponse(tell())


def watch(request: HttpRequest) -> JsonResponse:
    """GET /watch: read for a long time; return all the places."""
    aliases = []
    for _ in range(READS):
        aliases.append(read())
        time.sleep(PAUSE_SECONDS)
    return JsonResponse({"aliases": aliases})


urlpatterns = [path("where", where), path("watch", watch), path("", include("tests.shop.urls"))]
