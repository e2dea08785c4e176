"""Views: the functions of pindb, and its context managers in both forms."""

from decimal import Decimal
from typing import assert_type

from django.http import HttpRequest, HttpResponse
from django.urls import path

import pindb
from shop import tasks
from shop.models import Order


@pindb.pinned("default")
def order(request: HttpRequest, pk: int) -> HttpResponse:
    """Decide on what the master says."""
    return HttpResponse(Order.objects.get(pk=pk).total)


@pindb.unpinned_replica("default")
async def count(request: HttpRequest) -> HttpResponse:
    """Read a replica whatever is pinned."""
    return HttpResponse(await Order.objects.acount())


def buy(request: HttpRequest) -> HttpResponse:
    """Write, read, enqueue."""
    bought = Order.objects.create(total=Decimal("7.50"))
    with pindb.master("default"):
        assert_type(Order.objects.get(pk=bought.pk), Order)
    with pindb.explain() as decisions:
        assert Order.objects.exists()
    for decision in decisions:
        assert_type(decision, pindb.Decision)
        assert_type(decision.reason, pindb.Reason)
        assert_type(decision.db_set, str | None)
    tasks.confirm.delay(bought.pk)
    tasks.charge.delay(bought.pk)
    tasks.remind.send(bought.pk)
    return HttpResponse(pindb.token())


def consume(tokens: list[str]) -> set[str]:
    """Take messages of another transport."""
    pinned: set[str] = set()
    for text in tokens:
        with pindb.pinning_context() as context:
            assert_type(context, pindb.pinning_context)
            pindb.observe(text)
            pindb.pin("default", count_as_new=False)
            assert_type(pindb.is_pinned("default"), bool)
            assert_type(pindb.get_replica("default"), str)
            pinned |= pindb.get_newly_pinned() | pindb.get_pinned()
            pindb.unpin_all()
    return pinned


assert_type(order(HttpRequest(), 7), HttpResponse)

urlpatterns = [path("orders/", buy), path("orders/<int:pk>/", order), path("orders/count/", count)]
