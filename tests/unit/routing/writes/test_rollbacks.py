"""A transaction that was rolled back hands nothing on."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import TestCase

import pindb
from pindb import propagation
from tests.shop.models import Customer
from tests.unit.routing.writes.writing import Undo, handed_on, reads_master, rolled_back

pytestmark = pytest.mark.usefixtures("shop_tables")


@pytest.fixture
def manual(shop_tables: None) -> Iterator[None]:
    transaction.set_autocommit(False)
    yield
    transaction.rollback()
    transaction.set_autocommit(True)


def test_a_rollback_hands_nothing_on_and_reads_stay_on_the_master(write: Any) -> None:
    rolled_back("Ada", "Bob", write=write)
    assert not handed_on()
    assert reads_master()


def test_a_commit_hands_on(write: Any) -> None:
    with transaction.atomic():
        write("Ada")
    assert handed_on()
    rolled_back("Bob", write=write)
    assert handed_on(), "what was committed before stays"


def test_set_rollback_is_a_rollback(write: Any) -> None:
    with transaction.atomic():
        write("Ada")
        transaction.set_rollback(True)
    assert not handed_on()


def test_a_callback_on_commit_that_was_registered_before_the_write_hands_on(write: Any) -> None:
    seen: list[bool] = []
    with transaction.atomic():
        transaction.on_commit(lambda: seen.append(handed_on()))
        write("Ada")
    assert seen == [True]


def test_a_savepoint_takes_back_what_was_written_in_it(write: Any) -> None:
    with transaction.atomic():
        rolled_back("Ada", write=write)
        assert not handed_on()
    assert not handed_on()


def test_a_savepoint_takes_back_nothing_else(write: Any) -> None:
    with transaction.atomic():
        write("Ada")
        rolled_back("Bob", write=write)
        assert handed_on()
    assert handed_on()


def test_what_was_written_in_a_released_savepoint_is_taken_back_further_out(write: Any) -> None:
    with transaction.atomic():
        with pytest.raises(Undo), transaction.atomic():
            with transaction.atomic():
                write("Ada")
            assert handed_on()
            raise Undo
        assert not handed_on()


def test_what_was_written_in_a_released_savepoint_is_not_taken_back_by_the_next_one(write: Any) -> None:
    with transaction.atomic():
        with transaction.atomic():
            write("Ada")
        rolled_back("Bob", write=write)
        assert handed_on()
    assert handed_on()


def test_a_block_without_a_savepoint_of_its_own_is_rolled_back_with_the_one_around_it(write: Any) -> None:
    with pytest.raises(Undo), transaction.atomic(), transaction.atomic(savepoint=False):
        write("Ada")
        raise Undo
    assert not handed_on()


def test_a_refused_statement_in_a_savepoint(write: Any) -> None:
    write("Ada")
    with pindb.pinning_context(), transaction.atomic():
        with pytest.raises(IntegrityError), transaction.atomic():
            write("Ada")
        assert not handed_on()


def test_a_pin_by_hand_is_not_taken_back(write: Any) -> None:
    with pytest.raises(Undo), transaction.atomic():
        write("Ada")
        pindb.pin("default")
        raise Undo
    assert handed_on()


def test_each_unit_of_work_has_its_own_share_of_a_transaction(write: Any) -> None:
    with pytest.raises(Undo), transaction.atomic():
        with pindb.pinning_context():
            write("Ada")
            assert handed_on()
        assert not handed_on()
        write("Bob")
        raise Undo
    assert not handed_on()


def test_what_a_closed_unit_of_work_has_written_is_committed_without_it(write: Any) -> None:
    with transaction.atomic():
        with propagation.open_eager():
            write("Ada")
        assert handed_on()
    assert handed_on()


def test_what_an_eager_task_has_written_is_taken_back_with_its_callers_transaction(write: Any) -> None:
    with pytest.raises(Undo), transaction.atomic():
        with propagation.open_eager():
            write("Ada")
        assert handed_on()
        assert reads_master()
        raise Undo
    assert not handed_on()


def test_an_eager_task_hands_on_what_its_callers_open_transaction_has_written(write: Any) -> None:
    with pytest.raises(Undo), transaction.atomic():
        write("Ada")
        with propagation.open_eager() as work:
            assert handed_on()
        raise Undo
    assert work.unit.newly_pinned == set()


def test_unpin_all_inside_a_transaction_is_not_undone_by_its_commit(write: Any) -> None:
    with transaction.atomic():
        write("Ada")
        pindb.unpin_all()
        assert not handed_on()
    assert not handed_on()
    with transaction.atomic():
        write("Bob")
        pindb.unpin_all()
        write("Cid")
        assert handed_on()
    assert handed_on()


def test_inside_master_a_commit_pins_nothing(write: Any) -> None:
    with pindb.master("default"), transaction.atomic():
        write("Ada")
    assert pindb.get_pinned() == set()


# Transactions by hand.


@pytest.mark.usefixtures("manual")
def test_transactions_by_hand(write: Any) -> None:
    write("Ada")
    assert handed_on()
    transaction.rollback()
    assert not handed_on()
    write("Ada")
    transaction.commit()
    transaction.rollback()
    assert handed_on()


def test_switching_autocommit_on_commits(write: Any) -> None:
    transaction.set_autocommit(False)
    write("Ada")
    transaction.set_autocommit(True)
    with pytest.raises(Undo), transaction.atomic():
        write("Bob")
        raise Undo
    assert handed_on()
    assert Customer.objects.count() == 1


@pytest.mark.usefixtures("manual")
def test_a_commit_in_raw_sql_commits(write: Any) -> None:
    write("Ada")
    connection.cursor().execute("COMMIT")
    transaction.rollback()
    assert handed_on()


# Django's TestCase.


def test_in_a_testcase_code_behaves_as_if_its_transactions_were_committed(write: Any) -> None:
    class InTestCase(TestCase):
        databases = {"default"}  # noqa: RUF012 - as Django documents it

        def test_direct(self) -> None:
            write("Ada")
            assert handed_on()

        def test_atomic(self) -> None:
            rolled_back("Ada", write=write)
            assert not handed_on()
            with transaction.atomic():
                write("Ada")
            assert handed_on()
            rolled_back("Bob", write=write)
            assert handed_on()

        def test_on_commit(self) -> None:
            seen: list[bool] = []
            with self.captureOnCommitCallbacks(execute=True), transaction.atomic():
                write("Ada")
                transaction.on_commit(lambda: seen.append(handed_on()))
            assert seen == [True]

    for name in ("test_direct", "test_atomic", "test_on_commit"):
        result = unittest.TestResult()
        with pindb.pinning_context():
            unittest.TestSuite([InTestCase(name)]).run(result)  # not the test's own `run()`: that opens no transaction
        assert result.testsRun == 1
        assert result.wasSuccessful(), result.failures + result.errors
