"""Many DB sets: a unit of work costs the same, however many sets there are that it does not touch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

import pindb
from pindb import propagation
from pindb.config import database_sets
from pindb.config.database_sets import ALL_SETS
from pindb.core.pins import PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.middleware import PinDbMiddleware
from tests.shop.models import Order
from tests.unit.routing.test_rules import greedy, strict


class LookedUpOnly(Mapping[str, Any]):
    """A mapping whose entries can be looked up, and nothing else."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.entries = entries

    def __getitem__(self, key: str) -> Any:
        return self.entries[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self.entries.get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self.entries

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("all DB sets were looked at")

    def __len__(self) -> int:
        raise AssertionError("all DB sets were counted")


@pytest.fixture
def _sets_are_looked_up_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for connection in connections.all():  # position mode watches connections, which later tests use as well
        monkeypatch.setattr(connection, "execute_wrappers", [*connection.execute_wrappers])
    assert greedy.routers, strict.routers  # built now: it reads the settings anew
    config = database_sets.current_config()
    changed = dataclasses.replace(config, sets=LookedUpOnly(config.sets), owners=LookedUpOnly(config.owners))
    monkeypatch.setattr(database_sets.live, "config", changed)


pytestmark = pytest.mark.usefixtures("_sets_are_looked_up_only")


def use() -> None:
    """Do what a unit of work does."""
    greedy.db_for_read(Order)
    pindb.get_replica("default")
    with pindb.unpinned_replica("default"):
        greedy.db_for_read(Order)
    pindb.pin("default")
    pindb.is_pinned("default")
    pindb.get_pinned()
    pindb.get_newly_pinned()
    strict.db_for_write(Order)
    with pindb.master("default"):
        greedy.db_for_read(Order)
    greedy.db_for_read(Order)


def test_a_request_looks_at_no_set_that_it_does_not_touch() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        use()
        return HttpResponse()

    middleware = PinDbMiddleware(view)
    request = RequestFactory().get("/")
    response = middleware(request)
    request.COOKIES = {name: morsel.value for name, morsel in response.cookies.items()}  # type: ignore[union-attr]
    assert request.COOKIES
    middleware(request)


@pytest.mark.parametrize("consistency", ["time", "position"])
def test_a_message_and_its_task_look_at_no_set_that_they_do_not_touch(
    consistency: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = database_sets.current_config()
    positions = dataclasses.replace(config.settings, consistency=consistency, monotonic_reads=consistency == "position")
    monkeypatch.setattr(database_sets.live, "config", dataclasses.replace(config, settings=positions))
    use()
    sent = propagation.outgoing()
    assert sent != propagation.NOTHING_PINNED
    with propagation.open_message(sent):
        assert pindb.is_pinned("default")
        use()
        with propagation.open_eager(sent):
            use()
        outcome = propagation.outcome()
        propagation.outgoing(sent)
    with propagation.open_message(None):
        propagation.take(outcome)
        use()


def test_a_unit_of_work_for_which_everything_is_pinned_looks_at_what_it_reads() -> None:
    with propagation.open_message("garbage"):
        assert greedy.db_for_read(Order) == "default"
        greedy.db_for_write(Order)
        assert pindb.is_pinned("audit")
    with propagation.open_message(None):
        assert greedy.db_for_read(Order) != "default"
        propagation.take("garbage")
        assert greedy.db_for_read(Order) == "default", "what was remembered counts no more"
    with propagation.open_lost(None):
        assert greedy.db_for_read(Order) == "default"


def test_everything_is_pinned_while_another_thread_chooses_a_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has decided on a replica, and not remembered it yet, when a result comes in that pins everything."""
    unit = UnitOfWork()

    class LateCache(dict[str, Any]):
        def setdefault(self, alias: str, route: Any) -> Any:
            unit.absorb((), PinSet({ALL_SETS: 2e9}))
            return super().setdefault(alias, route)

    with propagation.messages.Work(unit):
        greedy.db_for_read(Order)
        unit.aliases = LateCache()
        assert greedy.db_for_read(Order) == "default"
        assert greedy.db_for_read(Order) == "default"


@override_settings(PINDB_MONOTONIC_READS=False)
def test_after_a_setting_has_changed_the_pins_hold_on() -> None:
    with propagation.open_message("garbage"):
        assert greedy.db_for_read(Order) == "default"
        with override_settings(PINDB_PINNING_SECONDS=20):
            assert greedy.db_for_read(Order) == "default"
            assert pindb.get_pinned() == {"default", "audit"}
