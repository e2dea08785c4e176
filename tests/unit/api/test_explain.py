"""`explain()` collects each read decision with its reason, and where the pin comes from."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

import pindb
from pindb import Decision, Reason, propagation
from pindb.config.database_sets import live
from pindb.web.middleware import PinDbMiddleware
from tests.carriers import carrying
from tests.shop.models import Customer, Invoice, Order
from tests.unit.routing.test_rules import REPLICAS, greedy

HERE = __file__


def read() -> str:
    return greedy.db_for_read(Order)


def explained(*models: Any) -> Decision:
    """Return the decision about a read."""
    with pindb.explain() as decisions:
        answers = {greedy.db_for_read(model) for model in models or (Order,)}
    assert answers == {decision.alias for decision in decisions}
    assert len(decisions) == len(models or (Order,))
    return decisions[0]


def test_a_read_on_the_replica_has_no_cause() -> None:
    decision = explained()
    assert (decision.db_set, decision.role, decision.reason, decision.origin) == (
        "default",
        "replica",
        Reason.REPLICA,
        "",
    )
    assert decision.alias in REPLICAS
    assert decision.line.startswith(f"{HERE}:")


def test_a_decision_that_was_cached_before_is_told_as_well() -> None:
    alias = read()
    assert explained().alias == alias
    pindb.pin("default")
    assert read() == "default"
    assert explained().reason is Reason.PINNED_BY_HAND


def test_a_pin_is_told_with_the_line_that_made_it(shop_tables: None) -> None:
    with pindb.explain() as decisions:
        read()
        Customer.objects.create(name="Ada")
        greedy.db_for_read(Order)
    before, after = decisions
    assert (before.reason, after.reason) == (Reason.REPLICA, Reason.PINNED_BY_WRITE)
    path, _, number = after.origin.rpartition(":")
    assert path == HERE
    _, _, asked = after.line.rpartition(":")
    assert int(asked) == int(number) + 1


def test_a_pin_by_hand_is_told_with_its_line() -> None:
    with pindb.explain() as decisions:
        pindb.pin("default")
        read()
    assert decisions[0].reason is Reason.PINNED_BY_HAND
    assert decisions[0].origin.startswith(f"{HERE}:")


def test_the_first_cause_of_a_pin_is_told(shop_tables: None) -> None:
    with pindb.explain() as decisions:
        Customer(name="Ada").full_clean()
        Order(customer=Customer(name="Bob"))
        pindb.pin("default")
        read()
    assert decisions[-1].reason is Reason.PINNED_BY_WRITE


def test_pins_of_callers_are_told_with_their_carrier() -> None:
    with propagation.open_message(carrying(default=10)):
        decision = explained()
    assert (decision.reason, decision.origin) == (Reason.PINNED_BY_CALLER, "message")
    with propagation.open_message("damaged"):
        assert explained().reason is Reason.PINNED_BY_CALLER
    propagation.take({"given": "1", "new": carrying(default=10)})
    decision = explained()
    assert (decision.reason, decision.origin) == (Reason.PINNED_BY_CALLER, "result")


def test_a_pin_in_a_cookie_is_told() -> None:
    told: list[Decision] = []

    def view(request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            pindb.pin("default")
        else:
            told.append(explained())
        return HttpResponse()

    middleware = PinDbMiddleware(view)
    answer: Any = middleware(RequestFactory().post("/"))
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in answer.cookies.items())
    middleware(RequestFactory().get("/", headers={"cookie": cookie}))
    assert [(decision.reason, decision.origin) for decision in told] == [(Reason.PINNED_BY_CALLER, "cookie")]


CAUSES: dict[Reason, Callable[[], Any]] = {
    Reason.MASTER_OVERRIDE: lambda: pindb.master("default"),
    Reason.REPLICA_OVERRIDE: lambda: pindb.unpinned_replica("default"),
    Reason.OPEN_TRANSACTION: transaction.atomic,
    Reason.DISABLED: lambda: override_settings(PINDB_ENABLED=False),
    Reason.MASTER_ONLY: lambda: override_settings(PINDB_MASTER_ONLY=["shop.Order"]),
    Reason.NO_REPLICAS: lambda: override_settings(DATABASE_SETS={"default": [], "audit": []}),
}


@pytest.mark.parametrize("reason", CAUSES, ids=lambda reason: reason.name)
def test_each_block_has_its_reason(reason: Reason) -> None:
    with CAUSES[reason]():
        decision = explained()
        assert decision.reason is reason
        assert decision.db_set == "default"
        assert decision.role == ("replica" if reason is Reason.REPLICA_OVERRIDE else "master")


def test_an_unmanaged_alias_is_told() -> None:
    delegate = type("Delegate", (), {"db_for_read": lambda self, model, **hints: "legacy"})()
    with override_settings(PINDB_DELEGATE_ROUTERS=[delegate]):
        decision = explained()
    assert decision == Decision(None, "legacy", Reason.UNMANAGED, line=decision.line)
    assert decision.role == "unmanaged"


def test_only_the_block_is_told_and_the_router_is_as_fast_as_before_after_it() -> None:
    with pindb.explain() as outer:
        with pindb.explain() as inner:
            read()
        read()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(read).result()
    read()
    assert (len(inner), len(outer)) == (1, 2)
    assert live.listeners == 0
    assert live.cached is live.config is not None


def test_it_ends_with_an_exception() -> None:
    with pytest.raises(KeyError), pindb.explain():
        raise KeyError
    assert live.listeners == 0


def test_settings_that_change_meanwhile_are_followed() -> None:
    with pindb.explain() as decisions:
        read()
        with override_settings(PINDB_ENABLED=False):
            read()
        read()
    assert [decision.reason for decision in decisions] == [Reason.REPLICA, Reason.DISABLED, Reason.REPLICA]


async def test_threads_and_tasks_that_the_block_starts_are_told() -> None:
    with pindb.explain() as decisions:
        await sync_to_async(read)()
        await asyncio.gather(*(asyncio.create_task(sync_to_async(read)()) for _ in range(3)))
    assert len(decisions) == 4


def test_threads_that_listen_at_the_same_time_hear_their_own_decisions() -> None:
    barrier = threading.Barrier(4)

    def listen(number: int) -> list[Decision]:
        with pindb.explain() as decisions:
            barrier.wait(10)
            for _ in range(number):
                read()
            barrier.wait(10)
        return decisions

    with ThreadPoolExecutor(4) as pool:
        counts = [len(decisions) for decisions in pool.map(listen, range(1, 5))]
    assert counts == [1, 2, 3, 4]
    assert live.listeners == 0


def test_as_text_they_are_a_table_in_which_equal_ones_are_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    with pindb.explain() as decisions:
        for _ in range(3):
            read()
        pindb.pin("default")
        greedy.db_for_read(Invoice)
    heading, first, second = str(decisions).splitlines()
    assert heading.split()[:4] == ["reads", "of", "alias", "reason"]
    assert first.split()[:2] == ["3", "default"]
    assert "pinned by hand" in second
    assert "tests/unit/api/test_explain.py:" in second


def test_a_child_process_listens_to_its_own_blocks_only() -> None:
    started, done = threading.Event(), threading.Event()

    def listen() -> None:
        with pindb.explain():
            started.set()
            done.wait(10)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(listen)
        started.wait(10)
        with pindb.explain():
            assert live.listeners == 2
            pid = os.fork()
            if pid == 0:
                os._exit(live.listeners)
        done.set()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def test_the_table_is_printed_in_a_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pindb.explain() as decisions:
        read()
    gone = tmp_path / "release"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert HERE in str(decisions)
