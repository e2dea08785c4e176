"""The tasks that follow a checkout: each reads what its caller wrote, writes, and the first enqueues the second."""

from __future__ import annotations

from django.db import transaction

from tests.journeys.store.models import Delivery
from tests.journeys.store.recording import note_missed
from tests.shop.celery import app
from tests.shop.models import AuditEntry, Invoice, Order

TASKS_OF_AN_ORDER = 2


@app.task
def fulfil(order_id: int, lines: int) -> None:
    """Read an order that has just been placed; write its invoice and its history."""
    order = Order.objects.select_related("customer").filter(pk=order_id).first()
    delivery = Delivery.objects.filter(order_id=order_id).first()
    if order is None or delivery is None or order.lines.count() != lines:
        note_missed(f"order {order_id}")
    products = [line.product.name for line in order.lines.select_related("product")] if order else []
    if order is not None:
        with transaction.atomic():
            Invoice.objects.create(order=order, total=order.total)
            order.status = Order.Status.PAID
            order.save(update_fields=["status"])
    AuditEntry.objects.create(order_id=order_id, event=f"{len(products)} sent"[:20])
    notify.delay(order_id)


@app.task
def notify(order_id: int) -> None:
    """Read what `fulfil` wrote, in both DB sets; write the history."""
    order = Order.objects.select_related("customer").filter(pk=order_id, status=Order.Status.PAID).first()
    invoice = Invoice.objects.filter(order_id=order_id).first()
    history = AuditEntry.objects.filter(order_id=order_id).count()
    delivery = Delivery.objects.filter(order_id=order_id).first()
    if order is None or invoice is None or delivery is None or history < TASKS_OF_AN_ORDER:
        note_missed(f"what was done for order {order_id}")
    AuditEntry.objects.create(order_id=order_id, event="told")
