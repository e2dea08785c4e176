"""The web middleware: a unit of work for each request, with the pins that its cookie hands on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponseBase

from pindb import events
from pindb.config.database_sets import current_config
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation.handoff import pins_to_hand_on
from pindb.propagation.tokens import TOKEN
from pindb.propagation.work import RequestWork, Work
from pindb.web import cookie, token_header, user_pins
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
        pins = received.pins.join(token_header.read(request, config))
        work = RequestWork(UnitOfWork(pins, "cookie" if received.pins or not pins else TOKEN.name))
        if config.settings.user_pins is not None:
            user_pins.begin(request, work.unit)
        return self._acall(request, received, work) if self._async else self._call(request, received, work)

    def _call(self, request: HttpRequest, received: Received, work: RequestWork) -> HttpResponseBase:
        with work:
            user_pins.look_up_by_key(request)
            response: HttpResponseBase = self.get_response(request)
        _hand_on(request, response, work, received)
        return _finished(request, response, work)

    async def _acall(self, request: HttpRequest, received: Received, work: RequestWork) -> HttpResponseBase:
        settings = current_config().settings
        with work:
            if settings.user_pins_key is not None:
                await sync_to_async(user_pins.look_up_by_key)(request)
            try:
                response: HttpResponseBase = await self.get_response(request)
            except asyncio.CancelledError:  # the client has gone away, but its user may ask again, or another device
                if settings.user_pins is not None:
                    await sync_to_async(_keep_for_user)(request, work)
                raise
        if settings.positions or settings.user_pins is not None:
            # The thread of the view's queries asks for positions. The event loop cannot: Django refuses queries there.
            await sync_to_async(_hand_on)(request, response, work, received)
        else:
            _hand_on(request, response, work, received)
        return _finished(request, response, work)


def _hand_on(request: HttpRequest, response: HttpResponseBase, work: Work, received: Received) -> None:
    """Put the pins of the unit of work into what brings them to the client's next requests."""
    pins = cookie.pins_to_set(request, response, work.unit, received)
    if pins:
        cookie.write(response, pins, received)
    config = current_config()
    if config.settings.token_header is not None and not cookie.is_public(response):
        token_header.write(response, pins_to_hand_on(config, work.unit, time.time()), config)
    _keep_for_user(request, work)


def _keep_for_user(request: HttpRequest, work: Work) -> None:
    of_user = user_pins.of(request)
    if of_user is not None and work.unit.newly_pinned:
        with work.resumed():
            of_user.keep(pins_to_hand_on(current_config(), work.unit, time.time()))


def _finished(request: HttpRequest, response: HttpResponseBase, work: Work) -> HttpResponseBase:
    if events.observers:
        match = request.resolver_match
        work.name = "" if match is None else match.view_name
        events.tell(events.Observer.unit_left, work.unit, work.kind, work.name)
    continue_in(work, response)
    return response
