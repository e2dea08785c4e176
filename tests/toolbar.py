"""A small site with django-debug-toolbar on: the shop's tables, and a page that writes and reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Barrier
from typing import Final

from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path

from tests.shop.models import Customer, Order

PANEL: Final = "PinDbPanel"
PANELS: Final = (
    "debug_toolbar.panels.history.HistoryPanel",
    "debug_toolbar.panels.sql.SQLPanel",
    "pindb.monitoring.toolbar.PinDbPanel",
)
PAGE: Final = '<!doctype html><html><head><link rel="icon" href="data:,"></head><body><h1>{}</h1></body></html>'

together: Final[dict[str, Barrier]] = {}
"""What the requests of a test wait for, by its name: all of them are in their views then."""


def checkout(request: HttpRequest) -> HttpResponse:
    """GET /checkout?name=Ada: reads, writes, reads. (A GET that writes: the test opens it as a page.)"""
    orders = Order.objects.count()
    customer = Customer.objects.create(name=request.GET.get("name", "Ada"))
    Order.objects.create(customer=customer, total=1)
    return HttpResponse(PAGE.format(f"{orders} {customer.orders.count()}"))


def read(request: HttpRequest) -> HttpResponse:
    """GET /read?times=2&together=NAME: reads customers, this often."""
    times = int(request.GET.get("times", 1))
    for number in range(times):
        Customer.objects.filter(name=f"{number} of {times} {request.GET.get('name', '')}").exists()
        if number == 0 and "together" in request.GET:
            together[request.GET["together"]].wait(30)
    return HttpResponse(PAGE.format("read"))


async def async_checkout(request: HttpRequest) -> HttpResponse:
    """GET /async/checkout: writes before it reads."""
    customer = await Customer.objects.using("default").acreate(name=request.GET.get("name", "Ada"))
    return HttpResponse(PAGE.format(await customer.orders.acount()))


async def async_read(request: HttpRequest) -> HttpResponse:
    """GET /async/read?times=2: reads customers, this often."""
    times = int(request.GET.get("times", 1))
    for number in range(times):
        await Customer.objects.filter(name=f"{number} of {times}").aexists()
    return HttpResponse(PAGE.format("read"))


def evil(request: HttpRequest) -> HttpResponse:
    """GET /evil: SQL that is a script to a browser."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT '<script>alert(1)</script>'")
    return HttpResponse(PAGE.format("evil"))


urlpatterns = [
    path("checkout", checkout),
    path("read", read),
    path("async/checkout", async_checkout),
    path("async/read", async_read),
    path("evil", evil),
]


@contextmanager
def toolbar_on() -> Iterator[None]:
    """Have the project list the toolbar, and the panel by its one line."""
    before, *others = settings.MIDDLEWARE
    with override_settings(
        DEBUG=True,
        INTERNAL_IPS=["127.0.0.1"],
        STATIC_URL="/static/",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        MIDDLEWARE=[before, "debug_toolbar.middleware.DebugToolbarMiddleware", *others],
        DEBUG_TOOLBAR_PANELS=[*PANELS],
        PINDB_PINNING_SECONDS=600,
    ):
        # Each needs what comes before it: the apps those settings, and the toolbar's URLs its models.
        apps = [*settings.INSTALLED_APPS, "django.contrib.staticfiles", "debug_toolbar"]
        with override_settings(INSTALLED_APPS=apps):
            own = path("__debug__/", include("debug_toolbar.urls"))
            with override_settings(ROOT_URLCONF=(*urlpatterns, own)):
                yield
