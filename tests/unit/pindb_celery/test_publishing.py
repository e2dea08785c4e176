"""A publish inside an open transaction that has written is noticed (`PINDB_PUBLISH_IN_ATOMIC`)."""

from __future__ import annotations

import inspect
import re
import unittest
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from celery.exceptions import Retry
from django.db import connection, transaction
from django.test import TestCase, override_settings

import pindb
from pindb import PinDbException
from pindb_celery import publishing
from tests.shop.models import AuditEntry, Customer, Order

pytestmark = pytest.mark.usefixtures("shop_tables")


@pytest.fixture(autouse=True)
def _forget_warnings() -> None:
    publishing.guard.warned.clear()


def write() -> None:
    Customer.objects.create(name=str(uuid4()))


def test_it_is_said_once_a_task_with_file_and_line_and_what_to_type(
    app: Celery, caplog: pytest.LogCaptureFixture
) -> None:
    with transaction.atomic():
        write()
        line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
        app.tasks["where"].delay()
        app.tasks["where"].delay()
    (record,) = [each for each in caplog.records if each.name.startswith("pindb")]
    assert record.levelname == "WARNING"
    message = record.getMessage()
    assert f"'where' is published at {__file__}:{line} inside a transaction that has written to default" in message
    assert "where.delay_on_commit(...)" in message


def test_as_an_error_it_stops_the_publish(app: Celery) -> None:
    with override_settings(PINDB_PUBLISH_IN_ATOMIC="error"), transaction.atomic():
        write()
        with pytest.raises(PinDbException, match=re.escape("test_publishing.py")):
            app.send_task("where")


@pytest.mark.parametrize("eager", [True, False])
def test_a_unit_of_work_inside_the_transaction_hides_it_not(app: Celery, eager: bool) -> None:
    @app.task
    def publishes() -> None:
        app.send_task("where")

    with override_settings(PINDB_PUBLISH_IN_ATOMIC="error"), transaction.atomic():
        write()
        with pytest.raises(PinDbException, match="has written to default"):
            if eager:
                publishes.apply(throw=True)
            else:
                with pindb.pinning_context():
                    app.send_task("where")


def test_what_an_eager_task_has_written_counts_for_its_caller(app: Celery) -> None:
    app.task(name="writes")(write)
    with override_settings(PINDB_PUBLISH_IN_ATOMIC="error"), transaction.atomic():
        app.tasks["writes"].apply(throw=True)
        with pytest.raises(PinDbException, match="has written to default"):
            app.send_task("where")


@pytest.mark.parametrize("master", [True, False])
def test_a_write_inside_master_counts_as_well(app: Celery, caplog: pytest.LogCaptureFixture, master: bool) -> None:
    with transaction.atomic(using="audit"):
        with pindb.master("audit"):
            AuditEntry.objects.filter(pk=-1).delete()
        app.tasks["where"].delay()
    assert "has written to audit" in caplog.text


@pytest.mark.parametrize("write", ["raw", "using"])
def test_a_write_that_no_router_saw_counts_as_well(app: Celery, write: str) -> None:
    with override_settings(PINDB_PUBLISH_IN_ATOMIC="error"), transaction.atomic():
        if write == "raw":
            connection.cursor().execute("INSERT INTO shop_customer (name) VALUES ('Ada')")
        else:
            Customer.objects.using("default").create(name="Ada")
        with pytest.raises(PinDbException, match="has written to default"):
            app.send_task("where")


def test_a_transaction_by_hand_counts_as_well(app: Celery) -> None:
    with override_settings(PINDB_PUBLISH_IN_ATOMIC="error"):
        transaction.set_autocommit(False)
        try:
            write()
            with pytest.raises(PinDbException, match="has written to default"):
                app.send_task("where")
            transaction.commit()
            app.send_task("where")
        finally:
            transaction.set_autocommit(True)


def commits_first(task: Any) -> None:
    with transaction.atomic():
        write()
    task.delay()


def on_commit(task: Any) -> None:
    with transaction.atomic():
        write()
        transaction.on_commit(task.delay)


def only_reads(task: Any) -> None:
    write()
    with transaction.atomic():
        Customer.objects.count()
        task.delay()


def another_transaction(task: Any) -> None:
    with transaction.atomic():
        write()
    with transaction.atomic():
        task.delay()


def rolled_back(task: Any) -> None:
    try:
        with transaction.atomic():
            write()
            _ = 1 / 0
    except ZeroDivisionError:
        task.delay()


def unmanaged(task: Any) -> None:
    with transaction.atomic(using="legacy"):
        task.delay()


def asks_where_to_write(task: Any) -> None:
    with transaction.atomic():
        Order(customer=Customer(name="Ada"))
        Customer.objects.filter(pk=-1).update(name="Ada")
        task.delay()


@transaction.atomic
def decorated(task: Any, *, writes: bool) -> None:
    if writes:
        write()
    else:
        task.delay()


def another_call_of_a_decorated_function(task: Any) -> None:
    decorated(task, writes=True)
    decorated(task, writes=False)


def savepoint_rolled_back(task: Any) -> None:
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            write()
            _ = 1 / 0
        task.delay()


def elsewhere(task: Any) -> None:
    with transaction.atomic():
        write()
        with pindb.pinning_context():
            pass
    task.delay()


@pytest.mark.parametrize(
    "publish",
    [
        commits_first,
        on_commit,
        only_reads,
        another_transaction,
        rolled_back,
        savepoint_rolled_back,
        unmanaged,
        elsewhere,
        asks_where_to_write,
        another_call_of_a_decorated_function,
    ],
)
def test_what_is_safe_is_left_alone(app: Celery, caplog: pytest.LogCaptureFixture, publish: Any) -> None:
    with override_settings(PINDB_PUBLISH_IN_ATOMIC="error"):
        publish(app.tasks["where"])
    assert "published" not in caplog.text


@pytest.mark.parametrize("protocol", [1, 2])
def test_a_retry_is_left_alone(app: Celery, protocol: int) -> None:
    """Celery would reject the message of a task whose retry fails to go out: the task would be lost."""
    app.conf.task_protocol = protocol

    @app.task(bind=True)
    @transaction.atomic
    def charge(task: Any) -> None:
        write()
        task.retry(countdown=0)

    charge.push_request(id="one", args=(), kwargs={}, called_directly=False, retries=0)
    with override_settings(PINDB_PUBLISH_IN_ATOMIC="error"), pytest.raises(Retry):
        charge.run()
    with override_settings(PINDB_PUBLISH_IN_ATOMIC="error"), transaction.atomic():
        write()
        with pytest.raises(PinDbException, match="has written to default"):
            charge.delay()


def test_it_can_be_allowed(app: Celery, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(PINDB_PUBLISH_IN_ATOMIC="allow"), transaction.atomic():
        write()
        app.tasks["where"].delay()
    assert "published" not in caplog.text


def test_the_transactions_of_djangos_testcase_do_not_count(app: Celery) -> None:
    class InTestCase(TestCase):
        databases = {"default"}  # noqa: RUF012 - as Django documents it

        def runTest(self) -> None:  # noqa: N802 - unittest's name
            write()
            app.tasks["where"].delay()
            for _ in range(2):
                with transaction.atomic():
                    app.tasks["where"].delay()
                    write()
                    with pytest.raises(PinDbException):
                        app.tasks["where"].delay()
            decorated(app.tasks["where"], writes=True)
            decorated(app.tasks["where"], writes=False)

    with override_settings(PINDB_PUBLISH_IN_ATOMIC="error"):
        result = unittest.TestResult()
        unittest.TestSuite([InTestCase()]).run(result)
    assert result.testsRun == 1
    assert result.wasSuccessful(), result.failures + result.errors
