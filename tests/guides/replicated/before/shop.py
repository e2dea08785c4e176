"""Views that use django_replicated's names."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django_replicated.decorators import use_master, use_slave

from tests.guides.orders.tasks import seen
from tests.guides.orders.urls import urlpatterns as orders


# begin views
@use_master
def invoice(request: HttpRequest, pk: int) -> JsonResponse:  # an old row would be wrong
    return JsonResponse({"saw": seen(pk)})


@use_slave
def search(request: HttpRequest, pk: int) -> JsonResponse:  # a POST that only reads
    return JsonResponse({"saw": seen(pk)})


# end views
urlpatterns = [*orders, path("invoice/<int:pk>/", invoice), path("search/<int:pk>/", search)]
