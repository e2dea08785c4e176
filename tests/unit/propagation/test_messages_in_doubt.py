"""What a message brings that cannot be read, or that is not known here: its task reads masters."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given, settings

import pindb
from pindb import propagation
from pindb.config.database_sets import ALL_SETS
from pindb.core import codec
from tests.carriers import DAY, NOTHING_PINNED, carrying, pins_of
from tests.shop.models import Order
from tests.unit.core.test_codec import json_values


@settings(max_examples=60)
@given(json_values.filter(lambda value: value not in (None, NOTHING_PINNED)))
def test_any_garbage_pins_every_set(value: Any) -> None:
    work = propagation.open_message(value)
    try:
        assert pindb.get_pinned() == {"default", "audit"}
    finally:
        work.close()


def test_garbage_is_logged_and_handed_on_as_a_pin_on_every_set(caplog: pytest.LogCaptureFixture) -> None:
    work = propagation.open_message("garbage")
    assert "cannot be read" in caplog.text
    assert pindb.GreedyPinDbRouter().db_for_read(Order) == "default"
    assert set(pins_of(propagation.outgoing())) == {ALL_SETS}
    work.close()


@pytest.mark.parametrize("value", ["99;whatever", carrying(unheard_of=DAY)], ids=["newer version", "unknown set"])
def test_newer_versions_and_unknown_sets_mean_masters_and_one_warning(
    value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        work = propagation.open_message(value)
        assert pindb.get_pinned() == {"default", "audit"}
        work.close()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_position_for_every_set_pins_every_set() -> None:
    """No pindb writes one: it could not be asked of any replica."""
    with propagation.open_message(f"1;*=pA.1:5f@{int(time.time()) + 60}"):
        assert pindb.get_pinned() == {"default", "audit"}


def test_a_set_that_this_process_does_not_know_is_handed_on() -> None:
    work = propagation.open_message(carrying(elsewhere=5))
    assert "elsewhere" in pins_of(propagation.outgoing())
    work.close()


@override_settings(MASTER_DATABASES=None, DATABASE_ROUTERS=[])
def test_broken_settings_fail_no_publish_and_no_task(caplog: pytest.LogCaptureFixture) -> None:
    text = propagation.outgoing()
    assert text is not None, "without a header the task would be treated as PINDB_MISSING_HEADER says"
    with pytest.raises(codec.WireError):
        pins_of(text)
    work = propagation.open_message(carrying(default=5))
    work.close()
    assert "could not hand on" in caplog.text
    assert "could not open" in caplog.text
