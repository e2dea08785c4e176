"""The same views with pindb's names."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path

import pindb
from tests.guides.orders.tasks import seen
from tests.guides.orders.urls import urlpatterns as orders


# begin views
@pindb.master("default")
def invoice(request: HttpRequest, pk: int) -> JsonResponse:  # an old row would be wrong
    return JsonResponse({"saw": seen(pk)})


def search(request: HttpRequest, pk: int) -> JsonResponse:  # a POST that only reads
    return JsonResponse({"saw": seen(pk)})


# end views
urlpatterns = [*orders, path("invoice/<int:pk>/", invoice), path("search/<int:pk>/", search)]
