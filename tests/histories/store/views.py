"""Two views, a sync and an async one: each performs the plan that its client sends, and answers with its past."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from tests.histories.store import async_work
from tests.histories.store.units import Unit
from tests.histories.store.work import perform


def sync_view(request: HttpRequest) -> HttpResponse:
    """POST {"plan": [...], "parents": [...]}. An answer of a failure brings its cookies, too."""
    unit, plan = _asked(request)
    status = 200
    try:
        perform(unit, plan, in_task=False)
    except Exception:
        status = 500
    return JsonResponse({"past": unit.past}, status=status)


async def async_view(request: HttpRequest) -> HttpResponse:
    """Do the same, with Django's async ORM."""
    unit, plan = _asked(request)
    status = 200
    try:
        await async_work.perform(unit, plan)
    except Exception:
        status = 500
    return JsonResponse({"past": unit.past}, status=status)


def _asked(request: HttpRequest) -> tuple[Unit, Any]:
    wanted = json.loads(request.body)
    return Unit("request", wanted["parents"]), wanted["plan"]
