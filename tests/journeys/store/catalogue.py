"""Pages that everybody sees: the catalogue and the cart."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from tests.journeys.store.forms import AddForm
from tests.journeys.store.models import Cart, CartLine, OrderLine, Product
from tests.journeys.store.pages import page


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """GET /: the first products."""
    products = Product.objects.order_by("name")
    return page(request, products=[product.name for product in products[:5]], count=products.count())


@require_GET
def product(request: HttpRequest, pk: int) -> HttpResponse:
    """GET /products/<pk>: the product, others like it, and a form to add it, which is of a new line of a cart."""
    shown = get_object_or_404(Product, pk=pk)
    others = Product.objects.filter(price__gte=shown.price).exclude(pk=pk)[:3]
    content = {"name": shown.name, "others": [other.name for other in others]}
    response = page(request, **content)
    AddForm(instance=CartLine(product=shown))
    return response


@require_POST
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """POST /products/<pk>/add {"quantity": 1}."""
    added = get_object_or_404(Product, pk=pk)
    form = AddForm(request.POST, instance=CartLine(product=added))
    if not form.is_valid():
        return page(request, errors=form.errors)
    with transaction.atomic():
        cart = Cart.objects.filter(pk=request.session.get("cart")).first() or Cart.objects.create()
        line, is_new = CartLine.objects.get_or_create(cart=cart, product=added, defaults=form.cleaned_data)
        if not is_new:
            line.quantity += form.cleaned_data["quantity"]
            line.save()
    request.session["cart"] = cart.pk
    return redirect("/cart")


@require_GET
def cart(request: HttpRequest) -> HttpResponse:
    """GET /cart: each line as it would be in an order, and what others buy."""
    lines = CartLine.objects.filter(cart_id=request.session.get("cart")).select_related("product").order_by("pk")
    totals = [str(OrderLine(product=line.product, quantity=line.quantity).total) for line in lines]
    others: Any = Product.objects.order_by("-price")[:3]
    return page(request, totals=totals, others=[other.name for other in others])
