"""The web middleware: pins travel from request to request of one client, sync and async alike."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.signing import Signer, dumps
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory, override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

import pindb
from pindb.core.pins import PinSet
from pindb.propagation.carriers import MAX_SIGNED_BYTES
from pindb.web.cookie import SALT
from pindb.web.middleware import PinDbMiddleware
from tests.carriers import DAY, carrying, pins_of, set_cookie
from tests.unit.core.test_codec import json_values

COOKIE = "pindb_pinned_set"
View = Callable[[HttpRequest], HttpResponseBase]


def call_sync(view: View, request: HttpRequest) -> HttpResponseBase:
    response = PinDbMiddleware(view)(request)
    assert isinstance(response, HttpResponseBase)
    return response


def call_async(view: View, request: HttpRequest) -> HttpResponseBase:
    async def aview(request: HttpRequest) -> HttpResponseBase:
        await asyncio.sleep(0)
        return view(request)

    async def run() -> HttpResponseBase:
        middleware = PinDbMiddleware(aview)
        assert iscoroutinefunction(middleware)
        response: HttpResponseBase = await middleware(request)  # type: ignore[misc]
        return response

    return asyncio.run(run())


@pytest.fixture(params=[call_sync, call_async])
def call(request: pytest.FixtureRequest) -> Any:
    return request.param


def request(cookie: str | None = None) -> HttpRequest:
    made = RequestFactory().get("/")
    if cookie is not None:
        made.COOKIES[COOKIE] = cookie
    return made


def signed(value: Any) -> str:
    return Signer(salt=SALT).sign_object(value)


def cookie_with(**seconds_left: float) -> str:
    return signed(carrying(**seconds_left))


def pins_in(response: HttpResponseBase) -> PinSet:
    return pins_of(Signer(salt=SALT).unsign_object(set_cookie(response).value))


def write(_: HttpRequest) -> HttpResponse:
    pindb.pin("default")
    return HttpResponse()


def look(_: HttpRequest) -> HttpResponse:
    return HttpResponse(",".join(sorted(pindb.get_pinned())))


def test_a_write_is_pinned_for_the_clients_next_request_and_for_no_other(call: Any) -> None:
    response = call(write, request())
    cookie = set_cookie(response)
    assert call(look, request(cookie.value)).content == b"default"
    assert call(look, request()).content == b""
    assert pindb.get_pinned() == set(), "nothing leaks out of the middleware"


def test_the_cookie_lapses_with_the_last_pin(call: Any) -> None:
    before = time.time()
    response = call(write, request())
    assert set_cookie(response)["max-age"] in (15, 16)
    assert before + 15 <= pins_in(response)["default"].until <= math.ceil(time.time() + 15)


def test_a_request_that_pins_nothing_sets_no_cookie(call: Any) -> None:
    assert not call(look, request()).cookies
    assert not call(look, request(cookie_with(default=5))).cookies
    assert not call(look, request(cookie_with(default=-5))).cookies, "and deletes none"
    assert not call(look, request("damaged")).cookies


def test_a_new_pin_is_joined_with_what_was_carried(call: Any) -> None:
    pins = pins_in(call(write, request(cookie_with(audit=5, default=3))))
    assert time.time() + 4 < pins["audit"].until < time.time() + 5.01, "a carried pin keeps its own time"
    assert pins["default"].until > time.time() + 14, "a new write has a time of its own"


def test_max_age_is_that_of_the_pin_that_lasts_longest(call: Any) -> None:
    assert set_cookie(call(write, request(cookie_with(audit=100))))["max-age"] in (100, 101)


def test_a_pin_that_is_not_new_is_not_handed_on(call: Any) -> None:
    def view(_: HttpRequest) -> HttpResponse:
        pindb.pin("default", count_as_new=False)
        return HttpResponse()

    assert not call(view, request()).cookies


@override_settings(
    PINDB_PINNING_COOKIE="pins",
    PINDB_PINNING_COOKIE_SECURE=True,
    PINDB_PINNING_COOKIE_HTTPONLY=False,
    PINDB_PINNING_COOKIE_SAMESITE="Strict",
    PINDB_PINNING_COOKIE_DOMAIN="shop.test",
    PINDB_PINNING_COOKIE_PATH="/shop",
    PINDB_PINNING_SECONDS=3,
)
def test_the_cookie_is_as_the_settings_say(call: Any) -> None:
    cookie = set_cookie(call(write, request()), "pins")
    assert cookie["max-age"] in (3, 4), "to a full second, rounded up"
    assert {key: cookie[key] for key in ("secure", "httponly", "samesite", "domain", "path")} == {
        "secure": True,
        "httponly": "",
        "samesite": "Strict",
        "domain": "shop.test",
        "path": "/shop",
    }


def test_by_default_the_cookie_is_httponly_and_lax(call: Any) -> None:
    cookie = set_cookie(call(write, request()))
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["path"]) == (True, "Lax", "", "/")


def test_an_error_response_after_a_write_carries_the_pin(call: Any) -> None:
    def view(_: HttpRequest) -> HttpResponse:
        pindb.pin("default")
        return HttpResponse(status=500)

    assert "default" in pins_in(call(view, request()))


def test_an_exception_that_escapes_leaves_nothing_behind(call: Any) -> None:
    def view(_: HttpRequest) -> HttpResponse:
        pindb.pin("default")
        raise SystemExit

    with pytest.raises(SystemExit):
        call(view, request())
    assert pindb.get_pinned() == set()


@override_settings(PINDB_ENABLED=False)
def test_disabled_no_cookie_is_read_or_set(call: Any) -> None:
    response = call(write, request(cookie_with(audit=5)))
    assert not response.cookies


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "garbage",
        '["default"]',
        carrying(default=DAY),
        dumps(carrying(default=DAY), salt="another.salt"),
        dumps(["default"], salt=SALT),
        cookie_with(default=-1),
        cookie_with(unheard_of=5),
        "x" * (MAX_SIGNED_BYTES + 1),
        "é" * 50 + ":" + "é",
    ],
    ids=["empty", "garbage", "JSON", "unsigned", "another salt", "a list", "lapsed", "unknown set", "too long", "é"],
)
def test_a_cookie_that_is_not_ours_or_says_nothing_is_ignored(call: Any, cookie: str) -> None:
    response = call(look, request(cookie))
    assert response.content == b""


def test_one_changed_character_makes_a_cookie_worthless(call: Any) -> None:
    cookie = cookie_with(default=5)
    for position in (0, 3, -1):
        changed = list(cookie)
        changed[position] = "A" if changed[position] != "A" else "B"
        assert call(look, request("".join(changed))).content == b""


def test_an_oversized_cookie_is_ignored_even_if_signed(call: Any) -> None:
    cookie = signed(carrying(default=5) + " " * MAX_SIGNED_BYTES)
    assert call(look, request(cookie)).content == b""


def test_a_cookie_we_signed_that_cannot_be_decompressed_is_ignored(call: Any) -> None:
    assert call(look, request(Signer(salt=SALT).sign(".bm90IHpsaWI"))).content == b""


@pytest.mark.parametrize("value", [{"v": 2, "else": 1}, "2;else", "0", ["default"], "1;default=9000000000000000000"])
def test_a_cookie_we_signed_but_cannot_read_means_masters(call: Any, value: Any) -> None:
    assert call(look, request(signed(value))).content == b"audit,default"


@settings(max_examples=150)
@given(st.text(max_size=200) | st.binary(max_size=200).map(repr))
def test_no_cookie_whatever_fails_a_request_or_pins(cookie: str) -> None:
    assert call_sync(look, request(cookie)).content == b""  # type: ignore[attr-defined]


@given(json_values)
def test_no_signed_cookie_whatever_fails_a_request(value: Any) -> None:
    assert call_sync(look, request(signed(value))).status_code == 200


async def test_concurrent_async_requests_stay_apart() -> None:
    barrier = asyncio.Barrier(10)

    async def view(request: HttpRequest) -> HttpResponse:
        alias = request.GET["alias"]
        pindb.pin(alias)
        await barrier.wait()
        return HttpResponse(",".join(sorted(pindb.get_pinned())))

    middleware = PinDbMiddleware(view)
    aliases = ["default", "audit"] * 5
    responses: Any = await asyncio.gather(
        *(middleware(RequestFactory().get("/", {"alias": alias})) for alias in aliases)  # type: ignore[arg-type]
    )
    assert [response.content.decode() for response in responses] == aliases


async def test_a_cancelled_request_leaves_nothing_behind() -> None:
    async def view(_: HttpRequest) -> HttpResponse:
        pindb.pin("default")
        await asyncio.Event().wait()
        return HttpResponse()

    async def serve() -> frozenset[str]:
        try:
            await asyncio.wait_for(PinDbMiddleware(view)(request()), 0.01)  # type: ignore[arg-type]
        except TimeoutError:
            return pindb.get_pinned()
        raise AssertionError

    assert await serve() == set()
