"""A response's body and its end belong to the request's unit of work, though the middleware has returned."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from typing import Any, cast

from django.http import HttpResponseBase, StreamingHttpResponse

from pindb.propagation import Work


def continue_in(work: Work, response: HttpResponseBase) -> None:
    """Have the body of `response` streamed, and the response closed, in the unit of work that has made it."""
    # A file is no query. Wrapped, it could not be sent by the server's own means any more.
    if isinstance(response, StreamingHttpResponse) and getattr(response, "file_to_stream", None) is None:
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
    close = _Close(response, before, work)
    response.close = close  # type: ignore[method-assign]


class _Close:
    """`response.close`, in a unit of work. A response that a cache keeps is pickled, and has left it then."""

    def __init__(self, response: HttpResponseBase, before: Callable[[], None] | None, work: Work | None = None) -> None:
        self._response = response
        self._before = before
        self._work = work

    def __call__(self) -> None:
        try:
            with nullcontext() if self._work is None else self._work.resumed():
                if self._before is not None:
                    self._before()
                else:
                    type(self._response).close(self._response)
        finally:
            if self._work is not None:
                self._work.end()

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
