"""The shared views, and two that take a payment: the first has its two lines in the wrong order."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

from tests.guides.orders.models import Order
from tests.guides.orders.tasks import confirm
from tests.guides.orders.urls import urlpatterns as orders


# begin wrong
def pay(request: HttpRequest, pk: int) -> JsonResponse:
    confirm.delay(pk)  # the worker may read the order before the next line
    Order.objects.filter(pk=pk).update(status="paid")
    return JsonResponse({})


# end wrong
# begin right
def pay_at_last(request: HttpRequest, pk: int) -> JsonResponse:
    with transaction.atomic():
        confirm.delay_on_commit(pk)  # published at the end of the block, wherever it stands
        Order.objects.filter(pk=pk).update(status="paid")
    return JsonResponse({})


# end right
urlpatterns = [*orders, path("pay/<int:pk>/", pay), path("pay-at-last/<int:pk>/", pay_at_last)]
