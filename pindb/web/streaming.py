"""A response's body and its end belong to the request's unit of work, though the middleware has returned."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import cast

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
        close = response.close

        def close_in_unit_of_work() -> None:
            with work.resumed():
                close()

        # A server closes the body in its middle when the client goes away: its `finally` is part of the request.
        response.close = close_in_unit_of_work  # type: ignore[method-assign]


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
