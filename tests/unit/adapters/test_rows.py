"""A message that is a row is seen when its transaction commits, and nobody knows when that is."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import override_settings

import pindb
from pindb.adapters import NOTHING_PINNED, NULL_HEADER, open_message, outgoing, outgoing_in_row
from tests.shop.models import Customer

pytestmark = pytest.mark.usefixtures("shop_tables")

EVERYTHING = {"default", "audit"}
HOUR = 3600


@pytest.fixture(autouse=True)
def _unit_of_work() -> Iterator[None]:
    with pindb.pinning_context():
        yield


def pinned_after(seconds: float, pins: object, monkeypatch: pytest.MonkeyPatch) -> frozenset[str]:
    """Return what is pinned in a task that a worker starts so late."""
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + seconds)
        with open_message(pins):
            return pindb.get_pinned()


def test_a_pin_outlasts_a_long_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction.atomic():
        Customer.objects.create(name="Ada")
        pins = outgoing_in_row("default")
    assert pinned_after(HOUR, pins, monkeypatch) == {"default"}
    assert pinned_after(25 * HOUR, pins, monkeypatch) == set()


def test_a_pin_is_that_of_any_message_where_no_transaction_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    Customer.objects.create(name="Ada")
    pins = outgoing_in_row("default")
    assert pinned_after(1, pins, monkeypatch) == {"default"}
    assert pinned_after(HOUR, pins, monkeypatch) == set()


def test_a_carried_pin_keeps_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with pindb.pinning_context():
        pindb.pin("audit")
        carried = outgoing()
    with open_message(carried), transaction.atomic():
        assert outgoing_in_row("default") == carried
        assert outgoing_in_row("default", carried) == carried
        pindb.pin("default")
        pins = outgoing_in_row("default", carried)
    assert pinned_after(1, pins, monkeypatch) == EVERYTHING
    assert pinned_after(HOUR, pins, monkeypatch) == {"default"}


@override_settings(PINDB_REPLICA_SHARE=0.5)
def test_the_draw_of_the_causal_chain_is_kept() -> None:
    with transaction.atomic():
        pindb.pin("default")
        draw = outgoing().partition("!")[2]
        assert outgoing_in_row("default").partition("!")[2] == draw != ""


def test_nothing_pinned_stays_nothing() -> None:
    with transaction.atomic():
        assert outgoing_in_row("default") == NOTHING_PINNED
        with override_settings(PINDB_ENABLED=False):
            assert outgoing_in_row("default") is None


def test_what_cannot_be_read_or_told_means_masters(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with transaction.atomic():
        assert pinned_after(0, outgoing_in_row("default", "damaged"), monkeypatch) == EVERYTHING
        pindb.pin("default")
        assert pinned_after(0, outgoing_in_row("default", "damaged"), monkeypatch) == EVERYTHING
    assert "could not tell whether" not in caplog.text
    assert outgoing_in_row("no such alias") == NULL_HEADER
    assert "could not tell whether a transaction is open" in caplog.text
