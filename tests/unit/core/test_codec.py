"""The wire format: what it carries, its bounds, and that nothing hostile gets through."""

from __future__ import annotations

import json
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pindb.config.database_sets import ALL_SETS
from pindb.config.settings import MAX_PINNING_SECONDS
from pindb.core import codec
from pindb.core.pins import Pin, PinnedPosition, PinSet, merge_positions

NOW = 1_763_880_000.0

near_times = st.floats(NOW - 1000, NOW + MAX_PINNING_SECONDS)
logs = st.from_regex(r"[a-z][A-Za-z0-9_.-]{0,47}", fullmatch=True)
positions = st.builds(PinnedPosition, logs, st.integers(0, 2**64 - 1), near_times)
any_pins = st.builds(
    lambda until, positions: Pin(until, reduce(merge_positions, ((position,) for position in positions), ())),
    near_times | st.just(0.0),
    st.lists(positions, max_size=2),
).filter(any)
pin_sets = st.dictionaries(st.text(min_size=1, max_size=20), any_pins, max_size=8).map(PinSet.of)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def size(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":")))


@given(pin_sets)
def test_what_is_encoded_is_decoded_to_the_millisecond_or_to_more_pins(pins: PinSet) -> None:
    decoded = codec.decode(json.loads(json.dumps(codec.encode(pins))), NOW)
    if set(decoded) == {ALL_SETS} != set(pins):
        assert decoded[ALL_SETS].until == pytest.approx(pins.end, abs=0.001)
        return
    assert set(decoded) == set(pins)
    for name, pin in pins.items():
        assert decoded[name].until == pytest.approx(pin.until, abs=0.001)
        for read, position in zip(decoded[name].positions, pin.positions, strict=True):
            assert (read.log, read.offset) == (position.log, position.offset)
            assert 0 <= read.expires_at - position.expires_at < 1, "to the second, and no earlier"


@given(pin_sets)
def test_however_many_hops_a_pin_takes_it_keeps_its_time(pins: PinSet) -> None:
    once = codec.encode(pins)
    assert codec.encode(codec.decode(once, NOW)) == once


@given(st.dictionaries(st.text(min_size=1, max_size=255), any_pins, max_size=100).map(PinSet.of))
def test_an_encoded_set_is_never_larger_than_its_bound(pins: PinSet) -> None:
    assert size(codec.encode(pins)) <= codec.MAX_BYTES


def test_more_db_sets_than_fit_become_a_pin_on_every_one() -> None:
    pins = PinSet({f"shard-{number}": NOW + number for number in range(60)})
    assert codec.decode(codec.encode(pins), NOW) == PinSet({ALL_SETS: NOW + 59})


def test_more_marks_than_fit_become_a_pin_on_every_set_until_the_last() -> None:
    positions = tuple(PinnedPosition(f"pA.{number:x}", number, NOW + 86400 + number) for number in range(100))
    assert codec.decode(codec.encode(PinSet.of({"default": Pin(NOW, positions)})), NOW) == PinSet(
        {ALL_SETS: NOW + 86499}
    )


POSITIONED = Pin(positions=(PinnedPosition("p" + "_" * 11 + ".1a", 0x123_4567_89AB, NOW + 86400.5),))


@pytest.mark.parametrize("pin", [Pin(NOW + 0.123456), POSITIONED])
def test_two_db_sets_take_at_most_150_bytes_as_a_header(pin: Pin) -> None:
    assert size({"pindb": codec.encode(PinSet.of({"default": pin, "analytics": pin}))}) <= 150


def test_it_is_plain_text_whatever_an_alias_is_called() -> None:
    pins = PinSet.of({"a;b=c%20\u00fc,*\n": Pin(NOW, (PinnedPosition("pA.1", 2**64 - 1, NOW),)), "*": Pin(NOW)})
    text = codec.encode(pins)
    quoted = "a%3Bb%3Dc%2520%C3%BC%2C*%0A"
    assert text == f"1;{quoted}={int(NOW)}000;*={int(NOW)}000;{quoted}=pA.1:{'f' * 16}@{int(NOW)}"
    assert codec.decode(text, NOW) == pins


def test_an_alias_that_no_text_can_hold_fails_nothing() -> None:
    assert len(codec.decode(codec.encode(PinSet({"\ud800": NOW})), NOW)) == 1


@given(json_values)
def test_any_json_value_is_pins_or_a_wire_error(value: Any) -> None:
    try:
        pins = codec.decode(value, NOW)
    except codec.WireError:
        return
    assert isinstance(pins, PinSet)


parts = st.sampled_from([";", "=", ":", "@", ",", "%", "%20", "1", "2", "default", "pA.1", "5f", str(int(NOW)), "000"])


@given(st.lists(parts, max_size=30).map("".join) | st.text())
def test_any_text_for_the_pins_is_pins_or_a_wire_error(text: str) -> None:
    try:
        pins = codec.decode(f"1;{text}", NOW)
    except codec.WireError:
        return
    assert pins
    assert all(pins)
    assert pins.end <= NOW + MAX_PINNING_SECONDS + 60
    assert codec.decode(codec.encode(pins), NOW) == pins


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        1,
        True,
        b"1",
        {"v": 1, "pins": {}},
        "",
        "{}",
        "0",
        "-1",
        " 1",
        "1 ",
        "1;",
        "1;default",
        "1;default=",
        "1;=1763880000000",
        "1;=",
        "1;default=True",
        "1;default=nan",
        "1;default=inf",
        "1;default=-5",
        "1;default=1763880000.5",
        "1;default=1_763_880_000_000",
        "1;default= 1763880000000",
        "1;default=\u0665",
        "1;\u00fc=1763880000000",
        "1;default=1763880000000;",
        "1;default=1763880000000,5",
        "1;default=176388000000",
        "1;default=1763880000000;default=1763880000000",
        f"1;default={int(NOW + 10 * MAX_PINNING_SECONDS)}000",
        f"1;default={'9' * 600}",
        "1;default=pA.1:5@99999999999",
        "1;default=pA.1:-5@1763880000",
        "1;default=pA.1:11111111111111111@1763880000",
        "1;default=pA.1:5@1763880000\n",
        "1;default=PA.1:5@1763880000",
        "1" + ";default=pA.1:5@1763880000" * 100,
    ],
)
def test_what_pindb_would_not_have_written_is_refused(value: Any) -> None:
    with pytest.raises(codec.WireError):
        codec.decode(value, NOW)


@pytest.mark.parametrize("pin", ["1763880000000", "pA.1:5@1763880000"])
def test_how_far_off_a_pin_ends_is_judged_each_time_it_is_read(pin: str) -> None:
    text, end = f"1;default={pin}", 1_763_880_000
    assert codec.decode(text, end - 5)
    with pytest.raises(codec.WireError):
        codec.decode(text, end - MAX_PINNING_SECONDS - 61)
    assert codec.decode(text, end - MAX_PINNING_SECONDS - 59)


def test_a_newer_version_is_told_from_damage() -> None:
    with pytest.raises(codec.NewerVersionError, match="version 2"):
        codec.decode("2;whatever", NOW)


@pytest.mark.parametrize("damage", ["!share=99999", "!share=", "!share", "!share=-1", "!share=1;!share=1", "!share=x"])
def test_a_draw_that_is_damaged_makes_a_text_unreadable(damage: str) -> None:
    text = f"1;default=1763880015123;{damage}"
    assert codec.draw_in(text) is None
    with pytest.raises(codec.WireError):
        codec.decode(text, NOW)


def test_a_part_for_a_later_pindb_is_no_pin() -> None:
    assert set(codec.decode("1;default=1763880015123;!later=x;!share=7", NOW)) == {"default"}
    assert codec.draw_in("1;default=1763880015123;!later=x;!share=7") == 7
