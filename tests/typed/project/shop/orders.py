"""Tests of the shop, with the fixtures of the pytest plugin and the mixin of unittest."""

from typing import assert_type

import pytest
from django.test import Client, TestCase

import pindb
from pindb.testing import Lag, LagMixin, Operation, RecordedDecisions, Violation, check_history
from pindb.testing.servers import PostgreSQL, postgresql_with_standby


@pytest.mark.django_db
def test_the_order_is_there(client: Client, pindb_lag: Lag, pindb_decisions: RecordedDecisions) -> None:
    pindb_lag.hold()
    client.post("/orders/", {"total": "7.50"})
    with pindb_lag.another_user():
        assert client.get("/orders/").status_code == 200
    pindb_lag.release()
    pindb_decisions.assert_reads_master("default")
    assert_type(pindb_decisions[0], pindb.Decision)


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_others_see_the_order_later(client: Client, pindb_standby: PostgreSQL) -> None:
    pindb_standby.pause()
    client.post("/orders/", {"total": "7.50"})
    pindb_standby.catch_up(timeout=5)
    with postgresql_with_standby(replicas=2, delay=2.0) as servers:
        assert_type(servers, PostgreSQL)
        assert servers.replicas[1]["ENGINE"] == servers.master["ENGINE"]


class OrderTests(LagMixin, TestCase):
    def test_the_order_is_there(self) -> None:
        self.pindb_lag.hold()
        self.client.post("/orders/", {"total": "7.50"})


def check(operations: list[Operation]) -> list[Violation]:
    return check_history(operations)
