"""A unit of work whose replica did not finish a read uses the master to its end, and pins nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

import pindb
from pindb.config.aliases import RoutedReplica
from pindb.config.database_sets import current_config
from pindb.core.frames import ReadFrom, current_frame, forget_decisions, push_unit
from pindb.core.pins import PinnedPosition, PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation import outgoing
from pindb.routing.decision import Reason
from pindb.routing.orm import repeated_reads
from pindb.routing.rules import decide
from tests.shop.models import Customer, Order
from tests.unit.routing.test_rules import REPLICAS, greedy


def leave() -> UnitOfWork:
    """Have this unit of work leave its replica."""
    assert greedy.db_for_read(Order) in REPLICAS
    unit = current_frame().unit
    unit.leave_replica(current_config().sets["default"])
    return unit


def reason(override: ReadFrom | None = None) -> Reason:
    config = current_config()
    return decide(config, current_frame().unit, config.sets["default"], "default", override).reason


def test_the_master_is_read_and_nothing_is_pinned() -> None:
    before = outgoing()
    leave()
    assert greedy.db_for_read(Order) == "default"
    assert greedy.db_for_read(Order, instance=Order()) == "default"
    assert pindb.get_replica("default") == "default"
    assert pindb.get_pinned() == set()
    assert outgoing() == before
    assert reason() is Reason.REPLICA_FAILED


@override_settings(PINDB_SEPARATE_PINS=["shop.Customer"])
def test_tables_with_separate_pins_leave_the_replica_with_the_others() -> None:
    assert greedy.db_for_read(Customer) in REPLICAS
    leave()
    assert greedy.db_for_read(Customer) == greedy.db_for_read(Order) == "default"
    with pindb.unpinned_replica("default"):
        assert greedy.db_for_read(Customer) == "default"
    with pindb.pinning_context():
        assert greedy.db_for_read(Customer) in REPLICAS


def test_other_reasons_come_first() -> None:
    leave()
    assert reason(ReadFrom.MASTER) is Reason.MASTER_OVERRIDE
    assert reason(ReadFrom.REPLICA) is Reason.REPLICA_FAILED
    with transaction.atomic("default"):
        assert reason() is Reason.OPEN_TRANSACTION
    pindb.pin("default")
    assert reason() is Reason.PINNED_BY_HAND


def test_it_holds_when_the_settings_are_read_again_and_for_a_child_but_for_no_other_unit_of_work() -> None:
    unit = leave()
    with override_settings(PINDB_PINNING_SECONDS=3):
        assert greedy.db_for_read(Order) == "default"
    with pindb.pinning_context():
        assert greedy.db_for_read(Order) in REPLICAS
        push_unit(unit.child(), object())
        assert reason() is Reason.REPLICA_FAILED
        assert greedy.db_for_read(Order) == "default"


def test_unpin_all_starts_again() -> None:
    leave()
    pindb.unpin_all()
    assert greedy.db_for_read(Order) in REPLICAS
    assert reason() is Reason.REPLICA


def test_a_position_that_came_in_is_not_turned_into_a_pin() -> None:
    position = PinnedPosition("log", 7, time.time() + 60)
    push_unit(UnitOfWork(PinSet({}, {"default": (position,)})), object())
    with override_settings(PINDB_CONSISTENCY="position"):
        unit = current_frame().unit
        unit.leave_replica(current_config().sets["default"])
        assert reason() is Reason.REPLICA_FAILED
        assert greedy.db_for_read(Order) == "default"
        assert unit.awaiting_position
        assert not unit.is_pinned_to_end("default")


@pytest.mark.parametrize("override", [nullcontext, lambda: pindb.unpinned_replica("default")])
def test_a_decision_taken_just_before_is_void(override: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread has left the replica in between."""
    from pindb.routing import rules

    def overtaken(*args: Any, **kwargs: Any) -> Any:
        decision = decide(*args, **kwargs)
        assert decision.alias in REPLICAS
        unit = current_frame().unit
        unit.leave_replica(current_config().sets["default"])
        forget_decisions(unit)
        return decision

    with override():
        monkeypatch.setattr(rules, "decide", overtaken)
        assert greedy.db_for_read(Order) == "default"
        monkeypatch.undo()
        assert greedy.db_for_read(Order) == "default"


def test_answers_tell_who_chose_them_without_rows_that_belong_to_the_master_too() -> None:
    with override_settings(PINDB_ROWS_BELONG_TO_MASTER=False):
        assert type(greedy.db_for_read(Order)) is RoutedReplica
    with override_settings(PINDB_ROWS_BELONG_TO_MASTER=False, PINDB_RETRY_ON_MASTER=False):
        assert type(greedy.db_for_read(Order)) is str


def test_django_is_changed_once_by_a_router_unless_the_setting_says_no() -> None:
    from django.db.models.sql.compiler import SQLCompiler
    from django.db.models.sql.query import RawQuery

    def changed() -> tuple[object, object]:
        return vars(SQLCompiler)["execute_sql"], vars(RawQuery)["_execute_query"]

    pindb.GreedyPinDbRouter()
    before = changed()
    pindb.StrictPinDbRouter()
    assert changed() == before
    repeated_reads.uninstall()
    try:
        originals = changed()
        assert originals[0] is not before[0]
        assert originals[1] is not before[1]
        with override_settings(PINDB_RETRY_ON_MASTER=False):
            pindb.GreedyPinDbRouter()
            assert changed() == originals
    finally:
        pindb.GreedyPinDbRouter()
    assert changed() != originals
