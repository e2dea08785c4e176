"""Positions in responses and in async code: on real servers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.signing import Signer
from django.http import HttpRequest, HttpResponse

from pindb.web.cookie import SALT
from pindb.web.middleware import PinDbMiddleware
from tests.carriers import set_cookie

from .goods import Cluster, asking, drop_connections, positions_in, publish, timed_in, write


async def test_in_an_event_loop_a_pin_is_timed_and_nothing_is_logged(
    goods: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    await sync_to_async(write)("jim")
    assert timed_in(publish())
    assert caplog.records == []
    assert positions_in(await sync_to_async(publish)()), "another thread may ask"
    assert positions_in(publish()), "and has asked for all"
    await sync_to_async(drop_connections)()


def pins_of(response: HttpResponse) -> Any:
    return Signer(salt=SALT).unsign_object(set_cookie(response).value)


def test_a_response_carries_the_position(goods: Cluster) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        write("kim")
        return HttpResponse()

    with asking() as asked:
        response = PinDbMiddleware(view)(HttpRequest())
    assert asked == ["goods"]
    assert isinstance(response, HttpResponse)
    assert positions_in(pins_of(response))
    assert 86398 <= set_cookie(response)["max-age"] <= 86401


async def test_an_async_response_carries_the_position(goods: Cluster) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        await sync_to_async(write)("lia")
        await asyncio.sleep(0)
        return HttpResponse()

    response = await PinDbMiddleware(view)(HttpRequest())  # type: ignore[misc]
    assert positions_in(pins_of(response))
    await sync_to_async(drop_connections)()
