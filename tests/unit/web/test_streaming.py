"""Streamed bodies: each chunk is produced in the unit of work of its request."""

from __future__ import annotations

import asyncio
import gc
import pickle
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
from asgiref.sync import sync_to_async
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

import pindb
from pindb import propagation
from pindb.web.middleware import PinDbMiddleware
from tests.shop.models import Order
from tests.unit.web.test_middleware import call_sync, request

router = pindb.GreedyPinDbRouter()


def test_a_streamed_body_runs_in_the_requests_context() -> None:
    def body() -> Iterator[bytes]:
        yield ",".join(sorted(pindb.get_pinned())).encode()
        pindb.pin("audit")
        yield ",".join(sorted(pindb.get_pinned())).encode()

    def view(_: HttpRequest) -> HttpResponseBase:
        pindb.pin("default")
        return StreamingHttpResponse(body())

    response = call_sync(view, request())
    chunks = []
    for chunk in response:  # type: ignore[attr-defined]
        assert pindb.get_pinned() == set(), "between two chunks the server runs other code in this thread"
        chunks.append(chunk)
    assert chunks == [b"default", b"audit,default"]
    assert pindb.get_pinned() == set()


async def test_a_body_streamed_async_runs_in_the_requests_context() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield ",".join(sorted(pindb.get_pinned())).encode()
        await asyncio.sleep(0)
        pindb.pin("audit")
        yield ",".join(sorted(pindb.get_pinned())).encode()

    async def view(_: HttpRequest) -> HttpResponseBase:
        pindb.pin("default")
        return StreamingHttpResponse(body())

    response: Any = await PinDbMiddleware(view)(request())  # type: ignore[misc]
    chunks = []
    async for chunk in response:
        assert pindb.get_pinned() == set()
        chunks.append(chunk)
    assert chunks == [b"default", b"audit,default"]


def test_what_a_streamed_body_holds_open_stays_open_from_chunk_to_chunk() -> None:
    def body() -> Iterator[bytes]:
        with pindb.master("default"):
            for _ in range(3):
                yield router.db_for_read(Order).encode()
        yield router.db_for_read(Order).encode()

    response = call_sync(lambda _: StreamingHttpResponse(body()), request())
    outside = router.db_for_read(Order)
    chunks = []
    for chunk in response:  # type: ignore[attr-defined]
        assert router.db_for_read(Order) == outside
        chunks.append(chunk)
    assert chunks[:3] == [b"default"] * 3
    assert chunks[3] != b"default"


async def test_what_a_body_streamed_async_holds_open_stays_open_from_chunk_to_chunk() -> None:
    async def body() -> AsyncIterator[bytes]:
        with pindb.pinning_context():
            pindb.pin("audit")
            for _ in range(3):
                yield ",".join(sorted(pindb.get_pinned())).encode()
                await asyncio.sleep(0)

    async def view(_: HttpRequest) -> HttpResponseBase:
        return StreamingHttpResponse(body())

    response: Any = await PinDbMiddleware(view)(request())  # type: ignore[misc]
    assert [chunk async for chunk in response] == [b"audit"] * 3


def test_a_streamed_body_is_closed_in_the_requests_context_when_the_client_goes_away() -> None:
    closed = []

    def body() -> Iterator[bytes]:
        try:
            yield b"first"
            yield b"never"
        finally:
            closed.append(router.db_for_read(Order))
            pindb.pin("audit")

    def view(_: HttpRequest) -> HttpResponseBase:
        pindb.pin("default")
        return StreamingHttpResponse(body())

    response = call_sync(view, request())
    assert next(iter(response)) == b"first"  # type: ignore[call-overload]
    response.close()
    assert closed == ["default"]
    assert pindb.get_pinned() == set()


@pytest.mark.parametrize("closes_in_the_loop", [False, True], ids=["as a server", "as Django's test client"])
@pytest.mark.parametrize("fails", [False, True])
async def test_a_body_streamed_async_that_nobody_reads_to_its_end_is_closed_in_the_requests_context(
    closes_in_the_loop: bool, fails: bool, caplog: pytest.LogCaptureFixture
) -> None:
    closed, is_closed = [], asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            yield b"never"
        finally:
            await asyncio.sleep(0)
            closed.append(pindb.get_pinned())
            pindb.pin("audit")
            is_closed.set()
            if fails:
                raise ZeroDivisionError

    async def view(_: HttpRequest) -> HttpResponseBase:
        pindb.pin("default")
        return StreamingHttpResponse(body())

    response: Any = await PinDbMiddleware(view)(request())  # type: ignore[misc]
    async with aclosing(aiter(response)) as chunks:
        await anext(chunks)
    with pindb.pinning_context():  # another request
        if closes_in_the_loop:
            response.close()
        else:
            await sync_to_async(response.close)()
        await asyncio.wait_for(is_closed.wait(), 5)
        assert pindb.get_pinned() == set()
    assert closed == [{"default"}]
    assert response.closed
    if fails:
        del response, chunks
        gc.collect()  # a task whose error nobody has asked for says so
        assert "ZeroDivisionError" in caplog.text


def test_an_error_in_a_streamed_body_is_the_users_to_see() -> None:
    def body() -> Iterator[bytes]:
        yield b"first"
        raise ZeroDivisionError

    response = call_sync(lambda _: StreamingHttpResponse(body()), request())
    with pytest.raises(ZeroDivisionError):
        list(response)  # type: ignore[call-overload]
    assert pindb.get_pinned() == set()


def test_a_file_is_left_to_the_servers_own_means(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    file = path.open("rb")
    response = call_sync(lambda _: FileResponse(file), request())
    assert response.file_to_stream is file  # type: ignore[attr-defined]
    response.close()


@pytest.mark.parametrize("streamed", [False, True])
def test_receivers_of_request_finished_run_in_the_requests_unit_of_work(streamed: bool) -> None:
    seen = []

    def receiver(**_: Any) -> None:
        seen.append((pindb.get_pinned(), propagation.outgoing() != propagation.NOTHING_PINNED))
        pindb.pin("audit")

    def view(_: HttpRequest) -> HttpResponseBase:
        pindb.pin("default")
        return StreamingHttpResponse([b""]) if streamed else HttpResponse()

    response = call_sync(view, request())
    request_finished.connect(receiver)
    request_finished.disconnect(close_old_connections)
    try:
        response.close()
    finally:
        request_finished.disconnect(receiver)
        request_finished.connect(close_old_connections)
    assert seen == [({"default"}, True)]
    assert pindb.get_pinned() == set(), "the thread's own unit of work is not touched"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("has_own_close", [False, True])
def test_a_response_that_is_closed_needs_no_garbage_collector(streamed: bool, has_own_close: bool) -> None:
    closed = []

    def view(_: HttpRequest) -> HttpResponseBase:
        response = StreamingHttpResponse([b""]) if streamed else HttpResponse()
        if has_own_close:
            response.close = lambda: closed.append(True)  # type: ignore[method-assign]
        return response

    gc.collect()
    gc.disable()
    try:
        response = call_sync(view, request())
        there = ref(response)
        list(response)  # type: ignore[call-overload]
        response.close()
        del response
        assert there() is None
    finally:
        gc.enable()
    assert closed == [True] * has_own_close


def test_a_response_that_a_cache_keeps_can_be_pickled() -> None:
    closed = []
    response = call_sync(lambda _: HttpResponse(b"kept"), request())
    kept = pickle.loads(pickle.dumps(response))
    kept._resource_closers.append(lambda: closed.append(True))
    kept.close()
    assert (kept.content, closed) == (b"kept", [True])


def test_a_close_that_was_replaced_before_is_called() -> None:
    closed = []

    def view(_: HttpRequest) -> HttpResponse:
        response = HttpResponse()
        response.close = lambda: closed.append(pindb.get_pinned())  # type: ignore[method-assign,assignment]
        pindb.pin("default")
        return response

    call_sync(view, request()).close()
    assert closed == [{"default"}]


def test_a_response_that_a_view_returns_again_is_closed_in_the_unit_of_work_of_its_last_request() -> None:
    response, names, closed = HttpResponse(), iter(["default", "audit"]), []
    response.close = lambda: closed.append(pindb.get_pinned())  # type: ignore[method-assign]

    def view(_: HttpRequest) -> HttpResponse:
        pindb.pin(next(names))
        return response

    for _ in range(2):
        call_sync(view, request()).close()
    assert closed == [{"default"}, {"audit"}]
