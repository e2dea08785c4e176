"""What the shop's tasks and actors do: each returns what it saw. Reading nothing, or old data, is no error."""

from __future__ import annotations

from tests.shop import observe
from tests.shop.models import Invoice, Order
from tests.shop.seen import Seen


def confirm(order_id: int) -> Seen:
    """Read an order that has just been placed."""
    with observe.reads() as reads:
        found = Order.objects.filter(pk=order_id).exists()
    return Seen(task="confirm", found=found, current=found, reads=reads)


def invoice(order_id: int, expected_status: str) -> Seen:
    """Read an order whose status has just changed to the expected one, and write its invoice."""
    with observe.reads() as reads:
        order = Order.objects.filter(pk=order_id).first()
        if order is not None:
            Invoice.objects.create(order=order, total=order.total)
    current = order is not None and order.status == expected_status
    return Seen(task="invoice", found=order is not None, current=current, reads=reads)


def report() -> Seen:
    """Read what need not be the latest: this job follows no write."""
    with observe.reads() as reads:
        Order.objects.count()
    return Seen(task="report", found=True, current=True, reads=reads)
