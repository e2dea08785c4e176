"""What commits and what rolls back, on real servers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.models.signals import pre_save

import pindb
from tests.integration.positions.goods import drop_connections, positions_in, publish, timed_in, write
from tests.shop.models import Customer, Order

from .test_statements import execute, pins


class Undo(Exception):  # noqa: N818
    """Ends an `atomic()` block with a rollback."""


@pytest.mark.parametrize("how", ["orm", "raw", "savepoint"])
def test_what_was_rolled_back_is_not_handed_on(goods: str, how: str) -> None:
    with pytest.raises(Undo), transaction.atomic("goods"):
        if how == "raw":
            execute("DELETE FROM shop_customer")
        else:
            write("Bob")
        assert pindb.get_newly_pinned() == {"goods"}
        assert timed_in(publish())
        if how == "savepoint":
            with transaction.atomic("goods"):
                write("Cid")
        raise Undo
    assert pindb.get_newly_pinned() == set()
    assert not timed_in(publish())
    assert not positions_in(publish())
    with transaction.atomic("goods"):
        write("Bob")
    assert pindb.get_newly_pinned() == {"goods"}


def test_what_another_thread_has_committed_meanwhile_stays(goods: str) -> None:
    def commits() -> None:
        try:
            execute("DELETE FROM shop_order")
        finally:
            drop_connections()

    with pytest.raises(Undo), transaction.atomic("goods"):
        write("Cid")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(copy_context().run, commits).result()
        raise Undo
    assert pins()


def test_a_definition_commits_where_the_server_cannot_roll_it_back(goods: str) -> None:
    with pytest.raises(Undo), transaction.atomic("goods"):
        write("Bob")
        execute("CREATE TABLE made (id int)")
        raise Undo
    committed = Customer.objects.using("goods").filter(name="Bob").exists()
    assert committed is (goods == "mysql")
    assert (pindb.get_newly_pinned() == {"goods"}) is committed
    execute("DROP TABLE IF EXISTS made")


@pytest.mark.usefixtures("mysql_or_mariadb")
def test_locked_tables_commit_on_mysql_and_mariadb() -> None:
    with pytest.raises(Undo), transaction.atomic("goods"):
        write("Bob")
        execute("LOCK TABLES shop_customer WRITE")
        raise Undo
    execute("UNLOCK TABLES")
    assert Customer.objects.using("goods").filter(name="Bob").exists()
    assert pindb.get_newly_pinned() == {"goods"}


@pytest.mark.usefixtures("postgresql")
def test_locked_tables_commit_nothing_on_postgresql() -> None:
    with pytest.raises(Undo), transaction.atomic("goods"):
        write("Bob")
        execute("LOCK TABLE shop_customer")
        raise Undo
    assert pindb.get_newly_pinned() == set()


@pytest.mark.usefixtures("postgresql")
def test_a_commit_that_a_deferred_constraint_refuses_hands_nothing_on() -> None:
    with pytest.raises(IntegrityError), transaction.atomic("goods"):
        Order.objects.create(customer_id=-1, total=1)
    assert pindb.get_newly_pinned() == set()


@pytest.mark.usefixtures("postgresql")
def test_copy_in_a_transaction_is_taken_back_with_it() -> None:
    with pytest.raises(Undo), transaction.atomic("goods"):
        with connections["goods"].cursor() as cursor, cursor.copy("COPY shop_customer (name) FROM STDIN") as copy:
            copy.write_row(["Bob"])
        assert pindb.get_newly_pinned() == {"goods"}
        raise Undo
    assert pindb.get_newly_pinned() == set()


def test_a_position_is_not_that_of_a_write_that_was_rolled_back(goods: str) -> None:
    write("Bob")
    before = publish()
    with pytest.raises(Undo), transaction.atomic("goods"):
        write("Cid")
        raise Undo
    after = publish()
    assert bool(positions_in(after)) is bool(positions_in(before))
    write("Cid")
    if positions_in(before):
        assert positions_in(publish()) != positions_in(before)


def test_a_message_published_before_the_statement_has_a_timed_pin(goods: str) -> None:
    """A position of that moment is one from before the write."""
    published: list[Any] = []

    def receiver(**_: Any) -> None:
        published.append(publish())

    pre_save.connect(receiver, sender=Customer)
    try:
        write("Bob")
        write("Cid")
    finally:
        pre_save.disconnect(receiver, sender=Customer)
    for message in published:
        assert timed_in(message)
    assert not positions_in(published[0])
    assert pins()
    assert bool(positions_in(publish())) is not timed_in(publish()), "after the statement its position will do"
