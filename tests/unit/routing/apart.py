"""What the tests of tables that are treated apart do and ask."""

from __future__ import annotations

from typing import Any

from pindb import propagation
from tests.carriers import pins_of
from tests.shop.models import Customer
from tests.unit.routing.test_rules import REPLICAS, greedy

PART = "default.shop"


def reads_master(model: Any) -> bool:
    alias = greedy.db_for_read(model)
    assert alias in ("default", *REPLICAS)
    return alias == "default"


def published() -> set[str]:
    return set(pins_of(propagation.outgoing()))


def add_customer() -> None:
    Customer.objects.create(name="Ada")
