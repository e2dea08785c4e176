"""What a task hands over with its result, and who takes it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import override_settings

import pindb
from pindb import propagation
from pindb.config.database_sets import ALL_SETS
from pindb.core import codec, frames
from pindb.core.pins import NOTHING, PinSet
from tests.carriers import carrying, pins_of
from tests.shop.models import Order


def outcome(new: PinSet = NOTHING, given: PinSet = NOTHING) -> Any:
    return {"given": codec.encode(given), "new": codec.encode(new)}


def soon(seconds: float = 5) -> float:
    return time.time() + seconds


def test_what_a_task_wrote_is_its_takers_own() -> None:
    with propagation.open_message(carrying(audit=5)):
        pindb.pin("default")
        result = propagation.outcome()
    replica = pindb.GreedyPinDbRouter().db_for_read(Order)
    assert replica != "default"
    propagation.take(result)
    assert pindb.get_newly_pinned() == {"default"}
    assert pindb.get_pinned() == {"default", "audit"}
    assert pindb.GreedyPinDbRouter().db_for_read(Order) == "default"
    out = pins_of(propagation.outgoing())
    assert out["default"].until > soon(14)
    assert out["audit"].until < soon(5.01), "what it was given keeps its own time: taking results prolongs nothing"


def test_what_a_task_wrote_counts_whatever_the_clocks_say() -> None:
    propagation.take(outcome(new=PinSet({"default": soon(-1000)}), given=PinSet({"audit": soon(-1000)})))
    assert pindb.get_newly_pinned() == {"default"} == pindb.get_pinned()


def test_taking_nothing_changes_nothing() -> None:
    propagation.take(outcome())
    assert pindb.get_pinned() == set()


@pytest.mark.parametrize("value", [None, "garbage", {}, {"given": "99", "new": "99"}])
def test_a_result_that_does_not_say_means_masters(value: Any) -> None:
    propagation.take(value)
    assert pindb.get_newly_pinned() == {"default", "audit"} == pindb.get_pinned()
    assert set(pins_of(propagation.outgoing())) == {ALL_SETS}


def test_a_result_that_pins_a_db_set_that_is_unknown_here_means_masters(caplog: pytest.LogCaptureFixture) -> None:
    propagation.take(outcome(new=PinSet({"shard": soon()})))
    assert pindb.get_newly_pinned() == {"default", "audit"}
    assert "A result pins ['shard'], which this process does not know" in caplog.text


def test_outside_a_task_nobody_knows_the_outcome() -> None:
    pindb.pin("default")
    assert propagation.outcome() is None
    with propagation.open_eager(), pindb.master("audit"):
        assert set(codec.decode(propagation.outcome()["new"], time.time())) == {"default"}


@override_settings(PINDB_ENABLED=False)
def test_disabled_nothing_is_taken() -> None:
    propagation.take(outcome(new=PinSet({"default": soon()})))
    assert not frames.current_frame().unit.newly_pinned
    with propagation.open_message(None):
        assert propagation.outcome() is None


@override_settings(MASTER_DATABASES=None, DATABASE_ROUTERS=[])
def test_broken_settings_fail_no_taking(caplog: pytest.LogCaptureFixture) -> None:
    propagation.take(outcome())
    with propagation.open_message(None):
        assert propagation.outcome() is None
    assert "could not take" in caplog.text
    assert "could not tell what a task has pinned" in caplog.text
