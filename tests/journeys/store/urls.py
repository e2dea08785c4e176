"""The store's addresses."""

from __future__ import annotations

from django.urls import path

from tests.journeys.store import accounts, catalogue, checkout

urlpatterns = [
    path("", catalogue.home),
    path("products/<int:pk>", catalogue.product),
    path("products/<int:pk>/add", catalogue.add),
    path("cart", catalogue.cart),
    path("signup", accounts.sign_up),
    path("account", accounts.account),
    path("checkout", checkout.checkout),
    path("orders", checkout.orders),
    path("orders/<int:pk>", checkout.order),
]
