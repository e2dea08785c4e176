"""Tables that are treated apart, for the tests that ask for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

import pindb
from tests.shop.models import Customer, Order


@pytest.fixture
def apart() -> Iterator[None]:
    """Customers have pins of their own; invoices are read and written on the master only."""
    with override_settings(PINDB_SEPARATE_PINS=["shop.Customer"], PINDB_MASTER_ONLY=["SHOP.invoice"]):
        yield


@pytest.fixture
def order(shop_tables: None) -> Order:
    """An order that was there before."""
    with pindb.pinning_context():
        return Order.objects.create(customer=Customer.objects.create(name="Bob"), total=1)
