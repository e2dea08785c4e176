"""Tests of the shop, with the fixtures of the pytest plugin and the mixin of unittest."""

from typing import assert_type

import pytest
from django.test import Client, TestCase

import pindb
from pindb.testing import Lag, LagMixin, Operation, RecordedDecisions, Violation, check_history


@pytest.mark.django_db
def test_the_order_is_there(client: Client, pindb_lag: Lag, pindb_decisions: RecordedDecisions) -> None:
    pindb_lag.hold()
    client.post("/orders/", {"total": "7.50"})
    with pindb_lag.another_user():
        assert client.get("/orders/").status_code == 200
    pindb_lag.release()
    pindb_decisions.assert_reads_master("default")
    assert_type(pindb_decisions[0], pindb.Decision)


class OrderTests(LagMixin, TestCase):
    def test_the_order_is_there(self) -> None:
        self.pindb_lag.hold()
        self.client.post("/orders/", {"total": "7.50"})


def check(operations: list[Operation]) -> list[Violation]:
    return check_history(operations)
