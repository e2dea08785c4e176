"""Tokens: what one unit of work hands on as text, another one observes; nobody can forge one."""

from __future__ import annotations

import string
import time
from typing import Any

import pytest
from django.core.signing import Signer
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

import pindb
from pindb import Reason
from pindb.core.frames import current_frame
from pindb.core.pins import PinSet
from pindb.propagation.carriers import Carrier
from pindb.propagation.tokens import SIGNED
from tests.shop.models import Order
from tests.unit.routing.test_rules import REPLICAS, greedy


def read() -> str:
    return greedy.db_for_read(Order)


def token_of(*aliases: str) -> str:
    with pindb.pinning_context():
        for alias in aliases:
            pindb.pin(alias)
        return pindb.token()


def test_who_observes_a_token_reads_the_master_and_hands_the_pin_on() -> None:
    token = token_of("default")
    assert read() in REPLICAS
    pindb.observe(token)
    assert read() == "default"
    assert pindb.get_pinned() == {"default"}
    assert pindb.get_newly_pinned() == set()
    with pindb.pinning_context():
        pindb.observe(token_of())
        assert read() in REPLICAS
    again = pindb.token()
    with pindb.pinning_context():
        pindb.observe(again)
        assert read() == "default"


def test_the_origin_is_the_token() -> None:
    token = token_of("default")
    with pindb.explain() as decisions:
        pindb.observe(token)
        read()
    assert [(each.reason, each.origin) for each in decisions] == [(Reason.PINNED_BY_CALLER, "token")]


def test_tokens_are_joined() -> None:
    for alias in ("default", "audit"):
        pindb.observe(token_of(alias))
    assert pindb.get_pinned() == {"default", "audit"}


def test_an_override_outside_holds_and_the_pin_holds_after_it() -> None:
    with pindb.unpinned_replica("default"):
        pindb.observe(token_of("default"))
        assert read() in REPLICAS
    assert read() == "default"


def test_a_lapsed_token_changes_nothing() -> None:
    pindb.observe(SIGNED.sign(f"1;default={int(time.time() * 1000) - 1}"))
    assert read() in REPLICAS


def test_a_token_is_short_and_safe_in_urls_and_headers() -> None:
    token = token_of("default", "audit")
    assert len(token) < 150
    assert set(token) <= {*string.ascii_letters, *string.digits, *"-_:"}


@given(
    st.one_of(st.text(), st.binary(), st.none(), st.integers(), st.just(Signer(salt="x").sign_object("1;default=1")))
)
def test_what_this_site_has_not_signed_changes_nothing(value: Any) -> None:
    with pindb.pinning_context():
        pindb.observe(value)
        assert pindb.get_pinned() == set()


@pytest.mark.parametrize("text", ["", "unreadable", "9;default=1", "1;default", 7, None, ["1"]])
def test_what_this_site_has_signed_and_cannot_read_pins_every_db_set(text: Any) -> None:
    pindb.observe(SIGNED.sign(text))
    assert pindb.get_pinned() == ({"default", "audit"} if text is not None else set())


def test_where_pindb_fails_the_reader_of_a_token_reads_masters(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    token = token_of("audit")

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Carrier, "read", fail)
    pindb.observe(token)
    assert read() == "default"
    assert pindb.get_pinned() == {"default", "audit"}
    assert "could not observe a token" in caplog.text


def test_a_disabled_pindb_makes_no_token_and_observes_none() -> None:
    token = token_of("default")
    with override_settings(PINDB_ENABLED=False):
        assert pindb.token() == ""
        pindb.observe(token)
    assert pindb.get_pinned() == set()


def test_a_chain_that_goes_on_by_a_token_stays_on_its_side() -> None:
    with override_settings(PINDB_REPLICA_SHARE=0.5):
        for draw in (0, 9999):
            with pindb.pinning_context():
                current_frame().unit.draw = draw
                token = pindb.token()
            with pindb.pinning_context():
                pindb.observe(token)
                assert current_frame().unit.draw == draw


def test_a_position_that_comes_late_is_asked_for_on_each_connection() -> None:
    unit = current_frame().unit
    connection = _Connection()
    unit.note_checked("default", connection)
    unit.inherit(PinSet(positioned={"default": ()}), unit.origin_of("default"))
    assert not unit.has_checked("default", connection)


class _Connection:
    """Stands for a driver's."""
