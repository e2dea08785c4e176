"""From the cart to the order, and the orders."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET

from tests.journeys.store.forms import CheckoutForm
from tests.journeys.store.models import Cart, CartLine, Delivery, OrderLine
from tests.journeys.store.pages import page
from tests.shop.models import AuditEntry, Customer, Order


@login_required
def checkout(request: HttpRequest) -> HttpResponse:
    """GET and POST /checkout {"reference": ..., "street": ...}: an order is placed, a task is to fulfil it."""
    from tests.journeys.store.tasks import fulfil

    customer = Customer.objects.get(name=request.user.get_username())
    lines = list(CartLine.objects.filter(cart_id=request.session.get("cart")).select_related("product"))
    positions = [OrderLine(product=line.product, quantity=line.quantity) for line in lines]
    ordered = Order(customer=customer, total=sum(position.total for position in positions))
    form = CheckoutForm(request.POST or None, instance=Delivery(order=ordered))
    if not form.is_valid():
        return page(request, errors=form.errors, total=str(ordered.total))
    with transaction.atomic():
        ordered.save()
        form.instance.order = ordered
        form.save()
        for position in positions:
            position.order = ordered
        OrderLine.objects.bulk_create(positions)
        Cart.objects.filter(pk=request.session.pop("cart")).delete()
    AuditEntry.objects.create(order_id=ordered.pk, event="placed")
    fulfil.delay(ordered.pk, len(positions))
    return redirect(f"/orders/{ordered.pk}")


@login_required
@require_GET
def orders(request: HttpRequest) -> HttpResponse:
    """GET /orders: those of who is signed in."""
    found: Any = Order.objects.filter(customer__name=request.user.get_username()).order_by("pk")
    return page(request, orders=[one.pk for one in found])


@login_required
@require_GET
def order(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /orders/<pk>: the order, its lines, and its history from the other DB set."""
    found = get_object_or_404(Order.objects.select_related("customer"), pk=pk)
    lines = [line.product.name for line in found.lines.select_related("product")]
    history = list(AuditEntry.objects.filter(order_id=pk).order_by("pk").values_list("event", flat=True))
    invoices = found.invoices.count()
    return page(request, order=found.pk, lines=lines, history=history, invoices=invoices, street=found.delivery.street)
