"""The web middleware: a unit of work for each request, with the pins that its cookie hands on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponseBase

from pindb import events
from pindb.config.database_sets import current_config
from pindb.core.pins import PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation.work import RequestWork, Work
from pindb.web import cookie
from pindb.web.cookie import Received
from pindb.web.streaming import continue_in


class PinDbMiddleware:
    """Opens a unit of work for each request, and hands its pins on to the client's next one.

    Put it first: Django writes the session after the view, on the way out.

        MIDDLEWARE = ["pindb.middleware.PinDbMiddleware", ...]

    A response sets a cookie only if the pins to hand on have changed. A streamed body, and a receiver of
    `request_finished`, write too late for the cookie.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._async = iscoroutinefunction(get_response)
        if self._async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        config = current_config()
        if not config.settings.enabled:
            return cast("HttpResponseBase | Awaitable[HttpResponseBase]", self.get_response(request))
        received = cookie.read(request, config)
        return self._acall(request, received) if self._async else self._call(request, received)

    def _call(self, request: HttpRequest, received: Received) -> HttpResponseBase:
        with RequestWork(UnitOfWork(received.pins, "cookie")) as work:
            response: HttpResponseBase = self.get_response(request)
        return _finished(request, response, work, received, cookie.pins_to_set(request, response, work.unit, received))

    async def _acall(self, request: HttpRequest, received: Received) -> HttpResponseBase:
        with RequestWork(UnitOfWork(received.pins, "cookie")) as work:
            response: HttpResponseBase = await self.get_response(request)
        pins_to_set = cookie.pins_to_set
        if current_config().settings.positions:
            # The thread of the view's queries asks for positions. The event loop cannot: Django refuses queries there.
            pins = await sync_to_async(pins_to_set)(request, response, work.unit, received)
        else:
            pins = pins_to_set(request, response, work.unit, received)
        return _finished(request, response, work, received, pins)


def _finished(
    request: HttpRequest, response: HttpResponseBase, work: Work, received: Received, pins: PinSet
) -> HttpResponseBase:
    if pins:
        cookie.write(response, pins, received)
    if events.observers:
        match = request.resolver_match
        work.name = "" if match is None else match.view_name
        events.tell(events.Observer.unit_left, work.unit, work.kind, work.name)
    continue_in(work, response)
    return response
