"""The seam for adapters: what goes out, what a message opens, and that nothing raises."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

import pindb
from pindb import propagation
from pindb.config.database_sets import ALL_SETS
from pindb.core import codec, frames, unit_of_work
from pindb.core.pins import Pin, PinnedPosition, PinSet
from tests.carriers import NOTHING_PINNED, carrying, pins_of
from tests.shop.models import Customer, Order


def test_a_new_pins_clock_starts_when_it_is_handed_on() -> None:
    pindb.pin("default")
    before = time.time()
    with override_settings(PINDB_PINNING_SECONDS=100):
        until = pins_of(propagation.outgoing())["default"].until
    assert before + 100 <= until <= math.ceil(time.time() + 100), "at a full second, rounded up"


def test_what_is_handed_on_twice_in_a_row_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    pindb.pin("default")
    now = 1_763_880_000.0
    texts = []
    for moment in (now + 0.1, now + 0.9, now + 1.1):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        texts.append(propagation.outgoing())
    first, second, third = texts
    assert first is second
    assert pins_of(first)["default"].until == now + 16
    assert pins_of(third)["default"].until == now + 17


def test_what_is_handed_on_follows_every_change_of_the_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    now = float(int(time.time()))
    monkeypatch.setattr(time, "time", lambda: now)  # else the time alone would make a difference
    sets = []
    with propagation.open_message(carrying(audit=5)):
        for change in (
            lambda: pindb.pin("default"),
            lambda: pindb.pin("audit"),
            pindb.unpin_all,
            lambda: pindb.pin("audit"),
            lambda: propagation.take({"given": carrying(default=7), "new": NOTHING_PINNED}),
            lambda: monkeypatch.setattr(time, "time", lambda: now + 10),
        ):
            change()
            sets.append({name: round(pin.until - now) for name, pin in pins_of(propagation.outgoing()).items()})
    assert sets == [
        {"audit": 5, "default": 15},
        {"audit": 15, "default": 15},
        {},
        {"audit": 15},
        {"audit": 15, "default": 7},
        {"audit": 25},
    ]


def test_a_carried_pin_keeps_its_own_time() -> None:
    value = carrying(default=5)
    work = propagation.open_message(value)
    try:
        assert propagation.outgoing() == value
    finally:
        work.close()


def test_a_write_under_a_carried_pin_is_handed_on_with_a_time_of_its_own(shop_tables: None) -> None:
    work = propagation.open_message(carrying(default=5))
    Customer.objects.create(name="Ada")
    assert pins_of(propagation.outgoing())["default"].until > time.time() + 14
    work.close()


def test_a_pin_that_is_not_counted_as_new_is_not_handed_on() -> None:
    pindb.pin("default", count_as_new=False)
    assert pins_of(propagation.outgoing()) == {}


def test_a_publisher_with_nothing_pinned_says_so() -> None:
    assert propagation.outgoing() == NOTHING_PINNED


def test_what_the_message_carries_already_is_joined() -> None:
    pindb.pin("default")
    out = pins_of(propagation.outgoing(carrying(audit=5, default=1)))
    assert out["default"].until > time.time() + 10
    assert out["audit"].until < time.time() + 6


def test_outside_all_contexts_what_the_message_carries_is_left_as_it_is() -> None:
    value = carrying(default=5)
    token = frames.frame_var.set(None)
    try:
        assert propagation.outgoing(value) == value
        assert propagation.outgoing() == NOTHING_PINNED
    finally:
        frames.frame_var.reset(token)


@pytest.mark.parametrize("existing", ["garbage", "x" * 10_000, ["x" * 10_000], {"v": 1}, "1;default=nan"])
def test_what_cannot_be_read_is_replaced_by_what_means_masters_and_is_small(existing: Any) -> None:
    pindb.pin("default")
    out = propagation.outgoing(existing)
    assert len(out) < 20
    with propagation.open_message(out):
        assert pindb.get_pinned() == {"default", "audit"}


def test_what_cannot_be_read_is_not_said_again_each_time_its_message_is_published(
    caplog: pytest.LogCaptureFixture,
) -> None:
    value: Any = "garbage"
    for _ in range(3):
        with propagation.open_message(value):
            assert pindb.get_pinned() == {"default", "audit"}
            value = propagation.outgoing(value)  # a retry
    assert len(caplog.records) == 2, "as it was read, and as it was published"
    with propagation.open_message(propagation.outgoing("more garbage")):  # a dead letter that is put back by hand
        assert pindb.get_pinned() == {"default", "audit"}
    assert len(caplog.records) == 3


def test_what_a_newer_version_wrote_is_left_to_it_unless_there_is_a_pin_to_add() -> None:
    assert propagation.outgoing("99;whatever") == "99;whatever"
    pindb.pin("default")
    assert set(pins_of(propagation.outgoing("99;whatever"))) == {ALL_SETS}


@override_settings(PINDB_ENABLED=False)
def test_disabled_nothing_is_written_and_nothing_pinned() -> None:
    assert propagation.outgoing() is None
    with propagation.open_message(carrying(default=5)):
        assert pindb.get_pinned() == set()


def test_a_message_opens_a_clean_context_with_its_pins() -> None:
    pindb.pin("audit")
    work = propagation.open_message(carrying(default=5))
    assert pindb.get_pinned() == {"default"}
    assert pindb.get_newly_pinned() == set()
    work.close()
    work.close()
    assert pindb.get_pinned() == {"audit"}


def test_a_pin_of_every_set_keeps_its_time_and_is_nothing_to_warn_of(caplog: pytest.LogCaptureFixture) -> None:
    value = carrying(**{ALL_SETS: 5})
    with propagation.open_message(value):
        assert pindb.get_pinned() == {"default", "audit"}
        assert propagation.outgoing() == value
    assert not caplog.records


@override_settings(PINDB_CONSISTENCY="position")
def test_a_position_of_a_set_that_is_unknown_here_is_handed_on() -> None:
    position = PinnedPosition("pA.1", 5, float(int(time.time()) + 60))
    value = codec.encode(PinSet.of({"elsewhere": Pin(positions=(position,))}))
    with propagation.open_message(value):
        assert pins_of(propagation.outgoing())["elsewhere"].positions == (position,)


def test_without_positions_no_replica_is_watched(shop_tables: None) -> None:
    for alias in ("default-1", "default-2"):
        assert not Order.objects.using(alias).exists()
        assert connections[alias].execute_wrappers == []


@override_settings(
    PINDB_CONSISTENCY="position",
    MASTER_DATABASES={"default": {}, "missing": {}},
    DATABASE_SETS={"default": [], "missing": []},
)
def test_a_master_that_databases_lacks_fails_no_publish() -> None:
    pindb.pin("missing")  # `manage.py check` complains; so will Django, at the first query
    assert set(pins_of(propagation.outgoing())) == {"missing"}


def test_a_lapsed_pin_is_no_pin() -> None:
    work = propagation.open_message(carrying(default=-1))
    assert pindb.get_pinned() == set()
    work.close()


def test_a_pin_that_holds_when_the_context_opens_holds_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    work = propagation.open_message(carrying(default=5))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert pindb.is_pinned("default")
    assert propagation.outgoing() == NOTHING_PINNED, "but it is not handed on any more"
    work.close()


@pytest.mark.parametrize(("setting", "pinned"), [("replica", set()), ("master", {"default", "audit"})])
def test_a_message_without_pins_starts_as_the_setting_says(setting: str, pinned: set[str]) -> None:
    with override_settings(PINDB_MISSING_HEADER=setting):
        work = propagation.open_message(None)
        assert pindb.get_pinned() == pinned
        work.close()


def test_an_eager_task_starts_with_its_callers_pins_and_hands_its_new_ones_back() -> None:
    pindb.pin("default")
    replica = pindb.get_replica("audit")
    work = propagation.open_eager()
    assert pindb.get_pinned() == {"default"}
    assert pindb.get_replica("audit") == replica
    pindb.pin("audit")
    work.close()
    assert pindb.get_newly_pinned() == {"default", "audit"}
    assert pindb.GreedyPinDbRouter().db_for_read(Order, instance=None) == "default"


def test_a_caller_reads_the_replica_that_its_eager_task_has_read() -> None:
    for _ in range(10):
        with pindb.pinning_context():
            with propagation.open_eager():
                replica = pindb.get_replica("default")
            assert pindb.get_replica("default") == replica


def test_an_eager_task_that_unpins_takes_nothing_from_its_caller() -> None:
    pindb.pin("default")
    work = propagation.open_eager()
    pindb.unpin_all()
    assert pindb.get_pinned() == set()
    work.close()
    assert pindb.get_newly_pinned() == {"default"}


def test_a_unit_of_work_can_be_entered_again() -> None:
    work = propagation.Work(unit_of_work.UnitOfWork())
    with work:
        pindb.pin("default")
    assert pindb.get_pinned() == set()
    with work:
        assert pindb.get_pinned() == {"default"}


def test_what_follows_a_lost_task_reads_masters_and_hands_that_on() -> None:
    work = propagation.open_lost(carrying(default=5))
    assert pindb.get_pinned() == {"default", "audit"}
    assert set(pins_of(propagation.outgoing())) == {ALL_SETS, "default"}
    work.close()


def test_a_work_that_is_open_is_not_entered_again() -> None:
    outside = frames.current_frame()
    with propagation.open_message(carrying(default=5)) as work, work:
        pass
    assert frames.current_frame() is outside


def test_the_first_message_without_pins_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        propagation.open_message(None).close()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert 'PINDB_MISSING_HEADER = "replica"' in record.getMessage()
