"""`PINDB_TOKEN_HEADER`: pins of API clients without cookies."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory, override_settings

import pindb
from tests.unit.web.test_middleware import call_async, call_sync

NAME = "X-Pindb-Token"


@pytest.fixture(params=[call_sync, call_async])
def call(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def _setting() -> Any:
    with override_settings(PINDB_TOKEN_HEADER=NAME):
        yield


def request(*tokens: str) -> HttpRequest:
    return RequestFactory().get("/", headers={NAME: ", ".join(tokens)} if tokens else {})


def pins(alias: str) -> Any:
    def view(_: HttpRequest) -> HttpResponse:
        pindb.pin(alias)
        return HttpResponse()

    return view


def says(_: HttpRequest) -> HttpResponse:
    return HttpResponse(" ".join(sorted(pindb.get_pinned())))


def text(response: HttpResponseBase) -> str:
    assert isinstance(response, HttpResponse)
    return response.content.decode()


def test_a_response_brings_the_pins_and_the_next_request_has_them(call: Any) -> None:
    token = call(pins("default"), request()).headers[NAME]
    response = call(says, request(token))
    assert text(response) == "default"
    assert text(call(says, request(response.headers[NAME]))) == "default", "a reader's response has them, too"
    assert text(call(says, request())) == ""


def test_several_tokens_are_joined(call: Any) -> None:
    tokens = [call(pins(alias), request()).headers[NAME] for alias in ("default", "audit")]
    assert text(call(says, request(*tokens))) == "audit default"


def test_of_very_many_tokens_the_first_ones_are_read(call: Any) -> None:
    token = call(pins("default"), request()).headers[NAME]
    assert text(call(says, request(*["forged"] * 19, token))) == "default"
    assert text(call(says, request(*["forged"] * 20, token))) == ""


def test_a_response_without_pins_has_no_header(call: Any) -> None:
    assert NAME not in call(says, request()).headers


@pytest.mark.parametrize("value", ["forged", "a:b", ",,", "x" * 100_000])
def test_a_forged_header_changes_nothing(call: Any, value: str) -> None:
    assert text(call(says, request(value))) == ""


def test_a_response_that_shared_caches_may_keep_has_no_header(call: Any) -> None:
    def view(_: HttpRequest) -> HttpResponse:
        pindb.pin("default")
        return HttpResponse(headers={"Cache-Control": "public, max-age=60"})

    assert NAME not in call(view, request()).headers


def test_without_the_setting_there_is_no_header(call: Any) -> None:
    token = call(pins("default"), request()).headers[NAME]
    with override_settings(PINDB_TOKEN_HEADER=None):
        assert text(call(says, request(token))) == ""
        assert NAME not in call(pins("default"), request()).headers
