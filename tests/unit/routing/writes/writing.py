"""What the tests of writes write with, and what they ask: which DB sets the running unit of work has pinned."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.db import connection, transaction

import pindb
from pindb import propagation
from tests.carriers import pins_of
from tests.shop.models import Customer, Order


def published() -> set[str]:
    """Return the DB sets that a message pins which is published now."""
    return set(pins_of(propagation.outgoing()))


def handed_on() -> bool:
    """Return whether "default" is handed on; nothing else is."""
    new = pindb.get_newly_pinned()
    assert new == published()
    return new == {"default"}


def reads_master() -> bool:
    return pindb.GreedyPinDbRouter().db_for_read(Order) == "default"


class CustomerForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Customer
        fields = ("name",)


def many(_: Customer) -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO shop_customer (name) VALUES (%s)", [["Bob"], ["Cid"]])


class Undo(Exception):  # noqa: N818
    """Ends an `atomic()` block with a rollback."""


def rolled_back(*names: str, write: Any) -> None:
    with pytest.raises(Undo), transaction.atomic():
        for name in names:
            write(name)
        assert handed_on(), "a message that is published inside the transaction"
        raise Undo
