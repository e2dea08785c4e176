"""A response's body and its end belong to the request's unit of work, though the middleware has returned."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from typing import Any, Final, cast

from asgiref.sync import async_to_sync
from django.http import HttpResponseBase, StreamingHttpResponse

from pindb import interrupts
from pindb.propagation import Work

logger: Final = logging.getLogger("pindb")


def continue_in(work: Work, response: HttpResponseBase) -> None:
    """Have the body of `response` streamed, and the response closed, in the unit of work that has made it."""
    body = None
    # A file is no query. Wrapped, it could not be sent by the server's own means any more.
    if isinstance(response, StreamingHttpResponse) and getattr(response, "file_to_stream", None) is None:
        body = getattr(response, "_iterator", None) if response.is_async else None
        chunks = response.streaming_content
        response.streaming_content = (
            _aiterate(work, cast("AsyncIterator[bytes]", chunks))
            if response.is_async
            else _iterate(work, cast("Iterator[bytes]", chunks))
        )
    # The server closes the response when it is sent, or when the client goes away: the `finally` of a streamed body and
    # the receivers of `request_finished` run then.
    before = vars(response).get("close")
    if isinstance(before, _Close):  # a view may return one response object again and again
        before = before._before
    close = _Close(response, before, work, body)
    response.close = close  # type: ignore[method-assign]


class _Close:
    """`response.close`, in a unit of work. A response that a cache keeps is pickled, and has left it then."""

    def __init__(
        self,
        response: HttpResponseBase,
        before: Callable[[], None] | None,
        work: Work | None = None,
        async_body: Any = None,
    ) -> None:
        self._response = response
        self._before = before
        self._work = work
        self._async_body = async_body

    def __call__(self) -> None:
        try:
            with nullcontext() if self._work is None else self._work.resumed():
                _close_async(self._async_body)
                if self._before is not None:
                    self._before()
                else:
                    type(self._response).close(self._response)
        finally:
            self._give_back()
            if self._work is not None:
                self._work.end()

    def _give_back(self) -> None:
        """Give the response its own `close` back: in a cycle with this object it would wait for the garbage collector.

        That one counts objects and not bytes: dozens of large responses would stay in memory.
        """
        attributes = vars(self._response)
        if attributes.get("close") is not self:
            return
        if self._before is None:
            del attributes["close"]
        else:
            attributes["close"] = self._before

    def __reduce__(self) -> Any:
        return _Close, (self._response, self._before)


def _iterate(work: Work, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Produce each chunk inside the unit of work, and leave it in between: the server runs other code there."""
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


def _close_async(body: Any) -> None:
    """Close an async generator that nobody has read to its end.

    Django closes no async body. The event loop would, once it is garbage: in whatever request runs then.
    """
    if getattr(body, "ag_frame", None) is None:  # at its end; or no generator
        return
    try:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            async_to_sync(_aclose)(body)
        else:  # the code that closes the response is async itself, as Django's test client
            loop.create_task(body.aclose())  # noqa: RUF006 - as the event loop does with garbage
    except interrupts.types:
        raise
    except Exception:
        logger.exception("The body of a streamed response has failed as it was closed")


async def _aclose(body: AsyncGenerator[Any]) -> None:
    await body.aclose()
