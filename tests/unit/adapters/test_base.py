"""No header, a null header and nothing pinned are three different things; no failure means stale reads."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from django.test import override_settings

import pindb
from pindb import interrupts, propagation
from pindb.adapters import NO_HEADER, NULL_HEADER, open_safely, pins_in

EVERYTHING = {"default", "audit"}


class TimeIsUpError(Exception):
    """A queue's time limit."""


@pytest.mark.parametrize(
    ("headers", "pins"),
    [
        ({}, NO_HEADER),
        ({propagation.KEY: None}, NULL_HEADER),
        ({propagation.KEY: propagation.NOTHING_PINNED}, propagation.NOTHING_PINNED),
        ({propagation.KEY: ""}, ""),
    ],
)
def test_the_pins_of_a_message_are_what_its_header_holds(headers: dict[str, Any], pins: object) -> None:
    assert pins_in(headers) == pins


@pytest.mark.parametrize(
    ("pins", "setting", "pinned"),
    [
        (NO_HEADER, "replica", set()),
        (NO_HEADER, "master", EVERYTHING),
        (NULL_HEADER, "replica", EVERYTHING),
        (propagation.NOTHING_PINNED, "master", set()),
    ],
)
def test_only_a_missing_header_is_as_the_setting_says(pins: object, setting: str, pinned: set[str]) -> None:
    with override_settings(PINDB_MISSING_HEADER=setting), propagation.open_message(pins):
        assert pindb.get_pinned() == pinned


def test_where_opening_fails_the_task_reads_masters_and_the_log_names_it(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> Any:
        raise ZeroDivisionError

    with open_safely(fail, object(), "shop.charge"):
        assert pindb.get_pinned() == EVERYTHING
    assert pindb.get_pinned() == set()
    assert "could not open the unit of work of shop.charge" in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("interruptible", [True, False])
def test_a_time_limit_gets_through_where_the_queue_does_not_swallow_it(
    monkeypatch: pytest.MonkeyPatch, interruptible: bool
) -> None:
    monkeypatch.setattr(interrupts, "types", (TimeIsUpError,))

    def hit(_: object) -> Any:
        raise TimeIsUpError

    with (
        pytest.raises(TimeIsUpError) if interruptible else contextlib.nullcontext(),
        open_safely(hit, object(), "shop.charge", interruptible=interruptible),
    ):
        assert pindb.get_pinned() == EVERYTHING
        assert not interruptible


def test_the_unit_of_work_is_the_one_that_was_opened() -> None:
    pindb.pin("audit")
    work = open_safely(propagation.open_message, propagation.NOTHING_PINNED, "shop.charge")
    assert pindb.get_pinned() == set()
    work.close()
    assert pindb.get_pinned() == {"audit"}
