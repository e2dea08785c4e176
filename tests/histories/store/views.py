"""Two views, a sync and an async one: each performs the plan that its client sends, and answers with its past."""

from __future__ import annotations

import json
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse

from tests.histories.store.units import Unit
from tests.histories.store.work import perform


def sync_view(request: HttpRequest) -> HttpResponse:
    """POST {"plan": [...], "parents": [...]}."""
    past, status = _performed(json.loads(request.body))
    return JsonResponse({"past": past}, status=status)


async def async_view(request: HttpRequest) -> HttpResponse:
    """Do the same."""
    past, status = await sync_to_async(_performed)(json.loads(request.body))
    return JsonResponse({"past": past}, status=status)


def _performed(wanted: dict[str, Any]) -> tuple[list[str], int]:
    """Return the past of the client's next request, and the status. An answer of a failure brings its cookies, too."""
    unit = Unit("request", wanted["parents"])
    try:
        perform(unit, wanted["plan"], in_task=False)
    except Exception:
        return unit.past, 500
    return unit.past, 200
