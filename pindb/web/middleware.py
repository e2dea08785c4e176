"""The web middleware: pins come in with a signed cookie, and go out with it when the request has made new ones."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from pindb.config.database_sets import current_config
from pindb.config.settings import Settings
from pindb.core import codec
from pindb.core.pins import NOTHING, PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation.handoff import pins_to_hand_on
from pindb.propagation.messages import Work, pin_everything

SALT: Final = "pindb.middleware"
MAX_COOKIE_BYTES: Final = 2 * codec.MAX_BYTES
"""No cookie of ours is longer, signed and in base64: a longer one is not even looked at."""


class PinDbMiddleware:
    """Opens a pinning context for each request; put it first, for sessions are written on the way out.

    The cookie is set only if the request has pinned something, and never deleted: it lapses by itself, deleting it
    would race with another response that has just set it. What a streamed body writes comes too late for its cookie.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._async = iscoroutinefunction(get_response)
        if self._async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        settings = current_config().settings
        if not settings.enabled:
            return cast("HttpResponseBase | Awaitable[HttpResponseBase]", self.get_response(request))
        inherited = _inherited(request, settings)
        return self._acall(request, inherited) if self._async else self._call(request, inherited)

    def _call(self, request: HttpRequest, inherited: PinSet) -> HttpResponseBase:
        with Work(UnitOfWork(inherited)) as work:
            response = self.get_response(request)
        return _finished(response, work, _outgoing(work.unit, inherited))

    async def _acall(self, request: HttpRequest, inherited: PinSet) -> HttpResponseBase:
        with Work(UnitOfWork(inherited)) as work:
            response = await self.get_response(request)
        if current_config().settings.positions:
            # Positions are asked for where the view's queries ran, not in the event loop: Django refuses that.
            pins = await sync_to_async(_outgoing)(work.unit, inherited)
        else:
            pins = _outgoing(work.unit, inherited)
        return _finished(response, work, pins)


def _inherited(request: HttpRequest, settings: Settings) -> PinSet:
    """Return the pins of the request's cookie that still hold; nothing where it is not one of ours."""
    cookie = request.COOKIES.get(settings.pinning_cookie)
    if not cookie or len(cookie) > MAX_COOKIE_BYTES:
        return NOTHING
    now = time.time()
    try:
        value = Signer(salt=SALT).unsign_object(cookie)
    except (BadSignature, ValueError, zlib.error):
        return NOTHING
    try:
        return codec.decode(value, now).alive(now)
    except codec.WireError:
        # We signed it, so it says something: a newer pindb's, in a rolling deploy.
        return pin_everything(now + settings.pinning_seconds)


def _outgoing(unit: UnitOfWork, inherited: PinSet) -> PinSet:
    """Return the pins for the cookie; nothing where the one that came in says the same."""
    config = current_config()
    if not unit.newly_pinned and unit.inherited == inherited and not config.settings.monotonic_reads:
        return NOTHING
    now = time.time()
    pins = pins_to_hand_on(config, unit, now, now + config.settings.pinning_seconds)
    return NOTHING if pins.join(inherited) == inherited else pins


def _finished(response: HttpResponseBase, work: Work, pins: PinSet) -> HttpResponseBase:
    if pins:
        _set_cookie(response, pins)
    # A file is no query, and wrapped it could not be sent by the server's own means any more.
    if isinstance(response, StreamingHttpResponse) and getattr(response, "file_to_stream", None) is None:
        chunks, close = response.streaming_content, response.close
        response.streaming_content = (
            _aiterate(work, cast("AsyncIterator[bytes]", chunks))
            if response.is_async
            else _iterate(work, cast("Iterator[bytes]", chunks))
        )

        def close_in_context() -> None:
            with work.resumed():
                close()

        # A client that goes away has the server close the body in its middle: its `finally` is part of the request.
        response.close = close_in_context  # type: ignore[method-assign]
    return response


def _set_cookie(response: HttpResponseBase, pins: PinSet) -> None:
    settings = current_config().settings
    response.set_cookie(
        settings.pinning_cookie,
        Signer(salt=SALT).sign_object(codec.encode(pins)),
        max_age=math.ceil(pins.end - time.time()),
        path=settings.pinning_cookie_path,
        domain=settings.pinning_cookie_domain,
        secure=settings.pinning_cookie_secure,
        httponly=settings.pinning_cookie_httponly,
        samesite=cast("Any", settings.pinning_cookie_samesite),
    )


def _iterate(work: Work, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Produce each chunk inside the request's context, and leave it in between: the server runs other code there."""
    while True:
        with work.resumed():
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


async def _aiterate(work: Work, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        with work.resumed():
            chunk = await anext(chunks, None)
        if chunk is None:
            return
        yield chunk
