"""The pages of the site: each says what it has found, and what is pinned after it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from tests.integration.apart.place import handed_on
from tests.shop.models import Customer


def _page(**found: Any) -> HttpResponse:
    return JsonResponse({**found, "pins": sorted(handed_on())})


def show(request: HttpRequest) -> HttpResponse:
    """Read a row, and nothing of the visitor's."""
    return _page(customers=Customer.objects.count())


def look(request: HttpRequest) -> HttpResponse:
    """Read the visitor's session, and a row."""
    return _page(seen=request.session.get("seen"), customers=Customer.objects.count())


def visit(request: HttpRequest) -> HttpResponse:
    """Save the visitor's session."""
    request.session["seen"] = request.GET["seen"]
    return _page()


async def look_async(request: HttpRequest) -> HttpResponse:
    """Do as `look` does."""
    return _page(seen=await request.session.aget("seen"), customers=await Customer.objects.acount())


async def visit_async(request: HttpRequest) -> HttpResponse:
    """Do as `visit` does."""
    await request.session.aset("seen", request.GET["seen"])
    return _page()


def log_in(request: HttpRequest) -> HttpResponse:
    """Log the user in that the standby has."""
    user = authenticate(request, username="ada", password="secret")
    assert user is not None
    login(request, user)
    return _page()


def leave(request: HttpRequest) -> HttpResponse:
    """Forget the visitor's session."""
    request.session.flush()
    return _page()


def who(request: HttpRequest) -> HttpResponse:
    """Say who is logged in."""
    return _page(user=request.user.get_username(), customers=Customer.objects.count())


urlpatterns = [
    path("show", show),
    path("look", look),
    path("visit", visit),
    path("look/async", look_async),
    path("visit/async", visit_async),
    path("login", log_in),
    path("leave", leave),
    path("who", who),
]
