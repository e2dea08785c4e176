"""The first read after a position, on the replica that was found to have it, is a read like any other on a replica."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connections

from tests.shop.models import Customer

from .goods import Cluster, read_from, received, written

REPLICAS = ("goods-1", "goods-2")


def get(name: str) -> Customer:
    return Customer.objects.get(name=name)


def raw(name: str) -> Customer:
    return next(iter(Customer.objects.raw("SELECT id, name FROM shop_customer WHERE name = %s", [name])))


@pytest.mark.parametrize("read", [get, raw])
def test_its_row_belongs_to_the_master(goods: Cluster, read: Callable[[str], Customer]) -> None:
    name = f"row {read.__name__}"
    message = written(name)
    goods.wait_until_replayed()
    with received(message):
        row = read(name)
        assert read_from(name)[0] in REPLICAS
        assert row._state.db == "goods"


@pytest.mark.parametrize("read", [get, raw])
def test_it_is_repeated_on_the_master_if_the_replica_is_lost(goods: Cluster, read: Callable[[str], Customer]) -> None:
    name = f"lost {read.__name__}"
    message = written(name)
    goods.wait_until_replayed()
    lost: list[str] = []

    def lose(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if "shop_customer" in str(sql):
            lost.append(context["connection"].alias)
            context["connection"].connection.close()
        return execute(sql, params, many, context)

    with received(message), ExitStack() as stack:
        for alias in REPLICAS:
            stack.enter_context(connections[alias].execute_wrapper(lose))
        assert read(name).name == name
        assert len(lost) == 1
        assert read_from(name) == ("goods", True)
