"""Views that use multidb's names."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path
from multidb.pinning import db_write, use_primary_db

from tests.guides.orders.models import Order
from tests.guides.orders.tasks import seen
from tests.guides.orders.urls import urlpatterns as orders


# begin views
@use_primary_db
def invoice(request: HttpRequest, pk: int) -> JsonResponse:  # an old row would be wrong
    return JsonResponse({"saw": seen(pk)})


@db_write
def visit(request: HttpRequest) -> JsonResponse:  # a GET that writes
    return JsonResponse({"placed": Order.objects.create(status="visited").pk})


def cancel(request: HttpRequest, pk: int) -> JsonResponse:  # a POST that reads before it writes
    status = seen(pk)
    Order.objects.filter(pk=pk).update(status=status)
    return JsonResponse({"saw": status})


# end views
def search(request: HttpRequest, pk: int) -> JsonResponse:
    """Read, in a POST."""
    return JsonResponse({"saw": seen(pk)})


urlpatterns = [
    *orders,
    path("invoice/<int:pk>/", invoice),
    path("visit/", visit),
    path("cancel/<int:pk>/", cancel),
    path("search/<int:pk>/", search),
]
