"""A message and a cookie are two carriers of one propagator. They are read alike, but for two decided differences."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

import pytest
from django.core.signing import Signer
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

import pindb
from pindb import propagation
from pindb.web.cookie import SALT
from pindb.web.middleware import PinDbMiddleware
from tests.carriers import carrying, pins_of

Carry = Callable[[object], frozenset[str]]
ALL = {"default", "audit"}


def by_message(text: object) -> frozenset[str]:
    """Return what a task has pinned whose message holds `text`."""
    with propagation.open_message(text):
        return pindb.get_pinned()


def by_cookie(text: object) -> frozenset[str]:
    """Return what a request has pinned whose cookie holds `text`, signed."""
    seen: list[frozenset[str]] = []

    def view(_: HttpRequest) -> HttpResponse:
        seen.append(pindb.get_pinned())
        return HttpResponse()

    request = RequestFactory().get("/")
    request.COOKIES["pindb_pinned_set"] = Signer(salt=SALT).sign_object(text)
    PinDbMiddleware(view)(request)
    return seen[0]


@pytest.fixture(params=[by_message, by_cookie], ids=["message", "cookie"])
def carry(request: pytest.FixtureRequest) -> Carry:
    return request.param  # type: ignore[no-any-return]


def test_pins_arrive(carry: Carry) -> None:
    assert carry(carrying(audit=5)) == {"audit"}


def test_lapsed_pins_do_not(carry: Carry) -> None:
    assert carry(carrying(audit=-1, default=5)) == {"default"}


@pytest.mark.parametrize("text", ["garbage", "1;default=soon", {"v": 1}, "1;" + "x" * 1100])
def test_a_damaged_text_pins_every_db_set(carry: Carry, text: object, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert carry(text) == ALL
        assert "cannot be read" in caplog.text


def test_a_newer_version_pins_every_db_set_and_is_logged_once(carry: Carry, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert carry("2;whatever") == ALL
        assert carry("2;whatever") == ALL
    assert caplog.text.count("written by a newer pindb") == 1


def test_a_db_set_unknown_here_pins_all_of_a_message_and_none_of_a_cookie() -> None:
    """The publisher of a message runs the same code; a cookie may come from another deployment on the domain."""
    assert by_message(carrying(elsewhere=5)) == ALL
    assert by_cookie(carrying(elsewhere=5, audit=5)) == {"audit"}


def test_a_db_set_unknown_here_is_handed_on_all_the_same() -> None:
    with propagation.open_message(carrying(elsewhere=60)):
        assert "elsewhere" in pins_of(propagation.outgoing())


def test_a_new_pin_lapses_at_the_same_full_second_in_both() -> None:
    def view(_: HttpRequest) -> HttpResponse:
        pindb.pin("default")
        return HttpResponse(propagation.outgoing())

    before = time.time()
    response = PinDbMiddleware(view)(RequestFactory().get("/"))
    assert isinstance(response, HttpResponse)
    (cookie,) = response.cookies.values()
    ends = {
        pins_of(text)["default"].until
        for text in (response.content.decode(), Signer(salt=SALT).unsign_object(cookie.value))
    }
    assert ends <= {math.ceil(moment + 15) for moment in (before, time.time())}
