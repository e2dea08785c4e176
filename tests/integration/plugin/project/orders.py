"""The project's tests: the name of each says whether it has to fail."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, TestCase, TransactionTestCase

import pindb
from pindb.testing import LagMixin, StaleReadError
from tests.integration.plugin.project.tasks import broker, greet, greet_later
from tests.shop.models import Customer, Order

TRANSACTION = pytest.mark.django_db(transaction=True)
TESTCASE = pytest.mark.django_db


@pytest.fixture(params=[pytest.param("case", marks=TESTCASE), pytest.param("transaction", marks=TRANSACTION)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_passes_request_task_and_next_request(kind: str, client: Client, pindb_lag: Any) -> None:
    pindb_lag.hold()
    assert client.get("/write", {"name": "ada"}).content == b"True"
    assert client.get("/read", {"name": "ada"}).content == b"True"


def test_passes_rows_from_before_are_on_the_replica(kind: str, client: Client, pindb_lag: Any) -> None:
    with pindb.pinning_context():
        Customer.objects.create(name="bea")
    pindb_lag.hold()
    with pindb.explain() as decisions:
        assert client.get("/read", {"name": "bea"}).content == b"True"
    assert [decision.alias for decision in decisions] == ["default-1"]


def test_fails_a_read_past_a_write(kind: str, client: Client, pindb_lag: Any) -> None:
    pindb_lag.hold()
    client.get("/forget", {"name": "cyd"})


def test_fails_though_the_code_has_caught_it(kind: str, client: Client, pindb_lag: Any) -> None:
    pindb_lag.hold()
    assert client.get("/swallow", {"name": "dan"}).content == b"fine"


def test_passes_before_hold_and_after_release(kind: str, client: Client, pindb_lag: Any) -> None:
    assert client.get("/forget", {"name": "eve"}).content == b"True"
    pindb_lag.hold()
    client.get("/write", {"name": "fay"})
    pindb_lag.release()
    assert Client().get("/read", {"name": "fay"}).content == b"True"


def test_fails_another_browser_without_the_cookie(kind: str, client: Client, pindb_lag: Any) -> None:
    pindb_lag.hold()
    client.get("/write", {"name": "gil"})
    Client().get("/read", {"name": "gil"})


def test_passes_another_user(kind: str, client: Client, pindb_lag: Any) -> None:
    pindb_lag.hold()
    client.get("/write", {"name": "hal"})
    with pindb_lag.another_user():
        Client().get("/read", {"name": "hal"})


def test_passes_other_tables_and_reports(kind: str, pindb_lag: Any) -> None:
    pindb_lag.hold()
    with pindb.pinning_context():
        Customer.objects.create(name="ida")
    with pindb.pinning_context():
        assert Order.objects.count() == 0
    with pindb.pinning_context(), pindb.unpinned_replica("default"):
        Customer.objects.count()
    with pindb.pinning_context():
        Customer.objects.using(pindb.get_replica("default")).count()


def test_fails_a_task_that_is_enqueued_before_the_write(kind: str, pindb_lag: Any) -> None:
    pindb_lag.hold()
    with pindb.pinning_context():
        late = greet.apply_async
        Customer.objects.create(name="jan")
    with pindb.pinning_context():
        late(["jan"])


def test_passes_an_actor(kind: str, pindb_lag: Any) -> None:
    pindb_lag.hold()
    Customer.objects.create(name="kay")
    greet_later.send("kay")
    message = broker.queues["default"].get(timeout=5)
    import dramatiq

    with pindb.pinning_context():
        broker.emit_before("process_message", dramatiq.MessageProxy(dramatiq.Message.decode(message)))
        greet_later("kay")


def test_passes_each_test_is_a_unit_of_work_1() -> None:
    pindb.pin("default")


def test_passes_each_test_is_a_unit_of_work_2() -> None:
    assert not pindb.is_pinned("default")


@TESTCASE
def test_passes_decisions(client: Client, pindb_lag: Any, pindb_decisions: Any) -> None:
    client.get("/read", {"name": "lea"})
    pindb_decisions.assert_reads_replica("default")
    pindb_decisions.clear()
    client.get("/write", {"name": "lea"})
    pindb_decisions.assert_reads_master("default")


@TESTCASE
def test_fails_decisions(client: Client, pindb_lag: Any, pindb_decisions: Any) -> None:
    client.get("/read", {"name": "lea"})
    pindb_decisions.assert_reads_master("default")


@TESTCASE
def test_fails_decisions_without_reads(pindb_decisions: Any) -> None:
    pindb_decisions.assert_reads_master("default")


class InTestCase(LagMixin, TestCase):
    def test_passes(self) -> None:
        self.pindb_lag.hold()
        assert self.client.get("/write", {"name": "ada"}).content == b"True"

    def test_fails(self) -> None:
        self.pindb_lag.hold()
        self.client.get("/forget", {"name": "ada"})

    def test_passes_what_is_expected(self) -> None:
        self.pindb_lag.hold()
        with pytest.raises(StaleReadError, match="urls.py"):
            self.client.get("/forget", {"name": "ada"})
        self.pindb_lag.stale_reads.clear()


class InTransactionTestCase(LagMixin, TransactionTestCase):
    def test_passes(self) -> None:
        self.pindb_lag.hold()
        assert self.client.get("/write", {"name": "ada"}).content == b"True"

    def test_fails(self) -> None:
        self.pindb_lag.hold()
        self.client.get("/forget", {"name": "ada"})
