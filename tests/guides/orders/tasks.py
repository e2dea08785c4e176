"""One task that reads what its caller has written, and one whose caller has written nothing."""

from __future__ import annotations

from celery import shared_task

from tests.guides.orders.models import Order


def seen(pk: int) -> str:
    """Return the status of an order, "missing" where the server that is read does not have it."""
    order = Order.objects.filter(pk=pk).first()
    return "missing" if order is None else order.status


@shared_task
def confirm(pk: int) -> str:
    """Return what this worker sees of the order that was just placed."""
    return seen(pk)


@shared_task
def report() -> str:
    """Return where this worker reads the first order."""
    return seen(1)
