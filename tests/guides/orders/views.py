"""Views that place an order, show one, and order a report."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

from tests.guides.orders.models import Order
from tests.guides.orders.tasks import confirm, report, seen


def place(request: HttpRequest) -> JsonResponse:
    """Write, then enqueue a task that reads what was written."""
    order = Order.objects.create()
    return JsonResponse({"placed": order.pk, "task": confirm.delay(order.pk).id})


def show(request: HttpRequest, pk: int) -> JsonResponse:
    """Read one order."""
    return JsonResponse({"saw": seen(pk)})


def order_report(request: HttpRequest) -> JsonResponse:
    """Enqueue a task, and write nothing."""
    return JsonResponse({"task": report.delay().id})
