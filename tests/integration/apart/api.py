"""The site's API: made with Django REST framework, its clients send a key with each request, and keep no cookies.

Imported only while the site's apps are installed.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, JsonResponse
from django.urls import path
from rest_framework.authentication import TokenAuthentication
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from tests.integration.apart import site
from tests.shop.models import Customer


class KeyAuthentication(TokenAuthentication):
    """DRF's, with the user's name as the key: so there is no table of keys."""

    def authenticate_credentials(self, key: str) -> tuple[User, str]:
        return User.objects.get(username=key), key


@api_view(["GET", "POST"])
@authentication_classes([KeyAuthentication])
@permission_classes([IsAuthenticated])
def customers(request: Request) -> Response:
    """Create a customer, or say how many there are whose names begin alike."""
    if request.method == "POST":
        Customer.objects.create(name=request.data["name"])
        return Response(status=201)
    return Response(_found(request.query_params["name"]))


def webhook(request: HttpRequest) -> JsonResponse:
    """Say what a payment provider's call finds; nobody is signed in."""
    return JsonResponse(_found(request.GET["name"]))


def shop(request: HttpRequest) -> JsonResponse:
    """Create a customer for the user of the session."""
    assert request.user.is_authenticated
    Customer.objects.create(name=request.GET["name"])
    return JsonResponse({})


def quiet(request: HttpRequest) -> JsonResponse:
    """Create a customer, and look at no user."""
    Customer.objects.create(name=request.GET["name"])
    return JsonResponse({})


async def shop_async(request: HttpRequest) -> JsonResponse:
    """Say the same to the user of the session."""
    user = await request.auser()
    assert user.is_authenticated
    rows = Customer.objects.filter(name__startswith=request.GET["name"])
    return JsonResponse({"found": await rows.acount(), "alias": rows.db})


def _found(name: str) -> dict[str, Any]:
    rows = Customer.objects.filter(name__startswith=name)
    return {"found": rows.count(), "alias": rows.db}


def owner(request: HttpRequest) -> str | None:
    """For PINDB_USER_PINS_KEY: the buyer that a request is about."""
    return request.GET.get("buyer")


urlpatterns = [
    *site.urlpatterns,
    path("customers", customers),
    path("webhook", webhook),
    path("shop", shop),
    path("quiet", quiet),
    path("shop/async", shop_async),
]
