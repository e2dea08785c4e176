"""The store's middleware: requests are units of work for the recorder, and sessions count clicks."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from tests.journeys.records import Unit
from tests.journeys.store.recording import recorder

GetResponse = Callable[[HttpRequest], HttpResponse]


def record_requests(get_response: GetResponse) -> GetResponse:
    """Record the requests of browsers that say whose journey it is; tell them what their next request needs."""

    def middleware(request: HttpRequest) -> HttpResponse:
        journey = request.headers.get("Journey")
        if not journey:
            return get_response(request)
        needs = json.loads(request.headers["Journey-Needs"])
        recorder().begin(Unit(journey, f"{request.method} {request.path}", needs))
        response = get_response(request)
        response["Journey-Needs"] = json.dumps(recorder().end())
        return response

    return middleware


def count_clicks(get_response: GetResponse) -> GetResponse:
    """Count the requests of a session in it: the browser sees by this whether the latest session was read."""

    def middleware(request: HttpRequest) -> HttpResponse:
        clicks = request.session["clicks"] = request.session.get("clicks", 0) + 1
        response = get_response(request)
        response["Journey-Clicks"] = str(clicks)
        return response

    return middleware
