"""A write that was announced: what leaves before its statement has run, and the cookie after it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db.models.signals import pre_save
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

import pindb
from pindb import propagation
from pindb.web.middleware import PinDbMiddleware
from tests.carriers import NOTHING_PINNED, set_cookies
from tests.shop.models import Customer, Order
from tests.unit.routing.writes.writing import CustomerForm, many, published

pytestmark = pytest.mark.usefixtures("shop_tables")


@pytest.mark.usefixtures("consistency")
@pytest.mark.parametrize("how", ["sync", "async", "thread"])
def test_a_message_published_in_pre_save_carries_the_pin(how: str) -> None:
    messages: list[set[str]] = []

    def receiver(**_: Any) -> None:
        if how == "thread":
            with ThreadPoolExecutor(1) as pool:
                messages.append(pool.submit(contextvars.copy_context().run, published).result())
        else:
            messages.append(published())

    async def areceiver(**_: Any) -> None:
        await asyncio.sleep(0)
        messages.append(published())
        messages.append(await sync_to_async(published)())

    connected = areceiver if how == "async" else receiver
    pre_save.connect(connected, sender=Customer)
    try:
        Customer.objects.create(name="Ada")
    finally:
        pre_save.disconnect(connected, sender=Customer)
    assert messages == [{"default"}] * (2 if how == "async" else 1)


def test_a_message_published_in_the_pre_save_of_an_eager_task_carries_the_pin() -> None:
    messages: list[set[str]] = []

    def receiver(**_: Any) -> None:
        with propagation.open_eager():
            messages.append(published())

    pre_save.connect(receiver, sender=Customer)
    try:
        Customer.objects.create(name="Ada")
    finally:
        pre_save.disconnect(receiver, sender=Customer)
    assert messages == [{"default"}]


# The cookie.


def cookies_of(view: Callable[[HttpRequest], HttpResponse]) -> list[Any]:
    return set_cookies(PinDbMiddleware(view)(RequestFactory().get("/")))


def test_a_request_that_only_asked_gets_no_cookie_and_one_that_wrote_does(ada: Customer) -> None:
    def asks(_: HttpRequest) -> HttpResponse:
        Order(customer=ada)
        CustomerForm({"name": "Bob"}).is_valid()
        return HttpResponse()

    def writes(_: HttpRequest) -> HttpResponse:
        many(ada)
        return HttpResponse()

    assert not cookies_of(asks)
    assert cookies_of(writes)


async def test_an_async_request_that_only_asked_gets_no_cookie_and_one_that_wrote_does() -> None:
    ada = await Customer.objects.acreate(name="Ada")

    async def asks(_: HttpRequest) -> HttpResponse:
        Order(customer=ada)
        await sync_to_async(CustomerForm({"name": "Bob"}).is_valid)()
        return HttpResponse()

    async def writes(_: HttpRequest) -> HttpResponse:
        await Customer.objects.acreate(name="Bob")
        return HttpResponse()

    for view, has_cookie in ((asks, False), (writes, True)):
        response: Any = await PinDbMiddleware(view)(RequestFactory().get("/"))  # type: ignore[misc]
        assert bool(set_cookies(response)) is has_cookie


def test_a_task_that_only_asked_hands_nothing_back_with_its_result(ada: Customer) -> None:
    with propagation.open_message(NOTHING_PINNED):
        Order(customer=ada)
        result = propagation.outcome()
    propagation.take(result)
    assert pindb.get_pinned() == set()
