"""`QueryRecorder`: the queries of a block, whichever thread sends them, and no others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import override_settings

import pindb
from pindb.lines import awaiting
from pindb.monitoring.queries import NOT_ASKED, OWN, Query, QueryRecorder, on_replicas, summary
from pindb.servers.vendors.base import QUERY_MARKER
from tests.shop.models import Customer, Order

pytestmark = pytest.mark.usefixtures("shop_tables")


def in_thread(work: Callable[[], Any], *, with_context: bool) -> None:
    """Run `work` in a thread of its own, to its end."""
    context = copy_context()

    def run() -> None:
        context.run(work) if with_context else work()
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)


def wrappers() -> list[Any]:
    return [wrapper for each in connections.all() for wrapper in each.execute_wrappers]


def test_a_thread_in_the_blocks_context_counts_and_another_does_not() -> None:
    with QueryRecorder() as recorder:
        in_thread(Order.objects.count, with_context=True)
        in_thread(Customer.objects.count, with_context=False)
    (query,) = recorder.queries
    assert "shop_order" in query.sql
    assert query.reason == "replica"


def test_a_query_has_the_decision_of_its_own_thread() -> None:
    with QueryRecorder() as recorder:
        alias = Order.objects.all().db  # asked, and not sent yet
        in_thread(Order.objects.count, with_context=True)
        Order.objects.using(alias).count()
    assert [query.reason for query in recorder.queries] == ["replica", "replica"]


def test_a_decision_explains_one_query_and_not_the_next_one_to_its_alias() -> None:
    with QueryRecorder() as recorder:
        Order.objects.count()
        Order.objects.using(recorder.queries[0].alias).count()
    assert [query.reason for query in recorder.queries] == ["replica", NOT_ASKED]


def test_in_shadow_mode_the_reason_is_that_of_what_would_have_happened() -> None:
    with override_settings(PINDB_MODE="shadow"), QueryRecorder() as recorder:
        Order.objects.count()
    (query,) = recorder.queries
    assert (query.alias, query.reason) == ("default", "replica (shadow)")


def test_a_thread_that_outlives_the_block_is_not_watched_any_more() -> None:
    seen: list[Any] = []

    def read() -> None:
        Order.objects.count()
        seen.extend(wrappers())

    with pindb.explain() as decisions:  # so that the router tells its decisions
        with QueryRecorder() as recorder:
            context = copy_context()
        in_thread(lambda: context.run(read), with_context=False)
    assert len(decisions) == 1
    assert recorder.queries == []
    assert not any(getattr(wrapper, "__self__", None) is recorder for wrapper in seen)


def test_the_block_leaves_nothing_behind_when_it_fails() -> None:
    before = wrappers()
    with pytest.raises(ZeroDivisionError), QueryRecorder():
        Order.objects.count()
        raise ZeroDivisionError
    assert wrappers() == before
    assert awaiting.get() is None


def test_pindbs_own_questions_are_told_apart_and_are_no_reads() -> None:
    with QueryRecorder() as recorder:
        asked = Order.objects.all().db
        with connections[asked].cursor() as cursor:
            cursor.execute(f"{QUERY_MARKER} SELECT 1")
        Order.objects.using(asked).count()
    own, read = recorder.queries
    assert (own.reason, own.is_read) == (OWN, False)
    assert read.reason == "replica", "the question has not taken the decision away"
    assert summary(recorder.queries) == "2 queries, 1 reads: 1 on replicas."
    assert on_replicas(recorder.queries) == [read]


def test_an_async_query_names_the_line_that_awaits_it() -> None:
    async def shop() -> list[Query]:
        with QueryRecorder() as recorder:
            await sync_to_async(recorder.watch_thread)()
            await Customer.objects.acreate(name="Ada")
            await asyncio.gather(Order.objects.acount())
            await sync_to_async(connections.close_all)()
        assert awaiting.get() is None
        return recorder.queries

    write, read = asyncio.run(shop())
    assert write.line.startswith(f"{__file__}:")
    assert read.origin == write.line
    assert int(read.line.rpartition(":")[2]) == int(write.line.rpartition(":")[2]) + 1


@pytest.mark.parametrize(
    ("sql", "short"), [("SELECT 1\n  FROM t", "SELECT 1 FROM t"), ("x" * 30, f"{'x' * 16} ...")], ids=["lines", "long"]
)
def test_a_statement_is_cut_to_one_short_line(sql: str, short: str) -> None:
    assert Query(sql, "default", "replica", "", "").short_sql(20) == short
