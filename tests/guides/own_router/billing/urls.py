"""The shared views, and two for invoices: one writes, one reads."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path

from tests.guides.orders.urls import urlpatterns as orders
from tests.guides.own_router.billing.models import Invoice


def send(request: HttpRequest) -> JsonResponse:
    """Write an invoice."""
    return JsonResponse({"sent": Invoice.objects.create().pk})


def show(request: HttpRequest, pk: int) -> JsonResponse:
    """Read an invoice."""
    invoice = Invoice.objects.filter(pk=pk).first()
    return JsonResponse({"saw": "missing" if invoice is None else invoice.status})


urlpatterns = [*orders, path("invoices/", send), path("invoices/<int:pk>/", show)]
