from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test import override_settings

import pindb
from tests.shop.models import Customer


@pytest.fixture(params=["GreedyPinDbRouter", "StrictPinDbRouter"])
def router(request: pytest.FixtureRequest) -> Iterator[str]:
    with override_settings(DATABASE_ROUTERS=[f"pindb.{request.param}"]):
        yield request.param


@pytest.fixture(params=["time", "position"])
def consistency(request: pytest.FixtureRequest) -> Iterator[None]:
    with override_settings(PINDB_CONSISTENCY=request.param):
        yield


@pytest.fixture
def ada(shop_tables: None) -> Customer:
    """A customer who was there before; her row is in the master alone."""
    with pindb.pinning_context():
        return Customer.objects.create(name="Ada")


@pytest.fixture(params=["orm", "raw"])
def write(request: pytest.FixtureRequest) -> Callable[[str], object]:
    def raw(name: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO shop_customer (name) VALUES (%s)", [name])

    return raw if request.param == "raw" else lambda name: Customer.objects.create(name=name)
