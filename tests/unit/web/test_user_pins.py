"""`PINDB_USER_PINS` with users that are not rows of a table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.utils.functional import SimpleLazyObject

import pindb
from pindb.web.middleware import PinDbMiddleware
from tests.unit.web.test_middleware import call_sync, request


@pytest.fixture(autouse=True)
def _setting() -> Iterator[None]:
    with override_settings(PINDB_USER_PINS="cache:default"):
        yield
    caches["default"].clear()


def pinned_for(user: Any, *to_pin: str) -> frozenset[str]:
    """Return what is pinned in a request once `user` is known, then pin."""
    pinned = []

    def view(request: HttpRequest) -> HttpResponse:
        request.user = user
        bool(request.user)
        pinned.append(pindb.get_pinned())
        for alias in to_pin:
            pindb.pin(alias)
        return HttpResponse()

    call_sync(view, request())
    return pinned[0]


def test_a_user_with_a_key_is_known_again() -> None:
    assert pinned_for(SimpleNamespace(is_authenticated=True, pk=1), "default") == set()
    assert pinned_for(SimpleNamespace(is_authenticated=True, pk=1)) == {"default"}


async def test_what_a_request_has_pinned_whose_client_goes_away_is_pinned_for_its_user() -> None:
    has_pinned = asyncio.Event()

    async def view(request: HttpRequest) -> HttpResponse:
        request.user = SimpleNamespace(is_authenticated=True, pk=2)  # type: ignore[assignment]
        pindb.pin("default")
        has_pinned.set()
        await asyncio.sleep(60)
        return HttpResponse()

    running = asyncio.ensure_future(PinDbMiddleware(view)(request()))  # type: ignore[arg-type]
    await has_pinned.wait()
    running.cancel()  # as Django's handler does
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await sync_to_async(pinned_for)(SimpleNamespace(is_authenticated=True, pk=2)) == {"default"}


@pytest.mark.parametrize("wrap", [lambda user: user, lambda user: SimpleLazyObject(lambda: user)], ids=["it", "lazy"])
def test_the_function_that_says_whose_pins_to_keep_may_ask_for_the_user(wrap: Any) -> None:
    calls = []

    def tenant_of(request: HttpRequest) -> str | None:
        calls.append(request)
        user: Any = getattr(request, "user", None)
        return user.tenant if getattr(user, "is_authenticated", False) else None

    with override_settings(PINDB_USER_PINS_KEY=tenant_of):
        for number, pinned in enumerate((set(), {"default"})):
            user = SimpleNamespace(is_authenticated=True, pk=number, tenant="shop")
            assert pinned_for(wrap(user), "default") == pinned
    assert len(calls) == 4, "as the request comes in, and when its user is known"


@pytest.mark.parametrize("attributes", [{}, {"pk": None}], ids=["no key", "None"])
@pytest.mark.parametrize("wrap", [lambda user: user, lambda user: SimpleLazyObject(lambda: user)], ids=["it", "lazy"])
def test_users_without_a_key_have_no_pins_of_each_other(attributes: dict[str, Any], wrap: Any) -> None:
    for _ in range(2):
        user = SimpleNamespace(is_authenticated=True, **attributes)
        assert pinned_for(wrap(user), "default") == set()


@pytest.mark.parametrize("user", [None, "ada"])
def test_what_is_no_user_fails_no_request(user: object) -> None:
    for wrapped in (user, SimpleLazyObject(lambda: user)):
        assert pinned_for(wrapped, "default") == set()
