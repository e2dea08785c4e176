"""The shop's views: what writes also enqueues, at once. `task` in a response is the id of the task."""

from __future__ import annotations

import json
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST

from tests.shop import observe
from tests.shop.enqueue import enqueue
from tests.shop.models import AuditEntry, Customer, Order


@require_POST
def place(request: HttpRequest) -> HttpResponse:
    """POST /orders {"customer": "ada", "total": "12.50"}: the task is to find the new order."""
    wanted = json.loads(request.body)
    customer, _ = Customer.objects.get_or_create(name=wanted["customer"])
    order = Order.objects.create(customer=customer, total=wanted["total"])
    return JsonResponse({"order": order.pk, "task": enqueue("confirm", order.pk)}, status=201)


@require_POST
def pay(request: HttpRequest, pk: int) -> HttpResponse:
    """POST /orders/<pk>/pay: the task is to see the new status. Writes to both DB sets."""
    if not Order.objects.filter(pk=pk).update(status=Order.Status.PAID):
        return JsonResponse({"error": f"There is no order {pk}."}, status=404)
    AuditEntry.objects.create(order_id=pk, event=Order.Status.PAID)
    return JsonResponse({"order": pk, "task": enqueue("invoice", pk, Order.Status.PAID)})


@require_POST
async def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """POST /orders/<pk>/cancel: an async view that writes, then reads what it wrote."""
    await Order.objects.filter(pk=pk).aupdate(status=Order.Status.CANCELLED)
    order = await Order.objects.filter(pk=pk).afirst()
    return JsonResponse({"order": pk, "status": order.status if order is not None else None})


@require_GET
def show(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /orders/<pk>: the order, its history from the other DB set, and where both were read."""
    with observe.reads() as reads:
        order = get_object_or_404(Order, pk=pk)
        history = list(AuditEntry.objects.filter(order_id=pk).order_by("pk").values_list("event", flat=True))
    return JsonResponse({"order": pk, "status": order.status, "total": order.total, "history": history, "reads": reads})


@require_GET
def export(request: HttpRequest) -> StreamingHttpResponse:
    """GET /orders.csv: the query runs while the body is sent, after this view has returned."""

    def lines() -> Iterator[str]:
        yield "order,status,total\n"
        for order in Order.objects.order_by("pk").iterator():
            yield f"{order.pk},{order.status},{order.total}\n"

    return StreamingHttpResponse(lines(), content_type="text/csv")


@require_POST
def report(request: HttpRequest) -> HttpResponse:
    """POST /report: enqueues, and writes nothing."""
    return JsonResponse({"task": enqueue("report")})
