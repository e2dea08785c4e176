"""The pinned set as a value: the laws of the join."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pindb.core.pins import NOTHING, Pin, PinnedPosition, PinSet, merge_positions

times = st.floats(1, 2e9)
logs = st.sampled_from(["pA.1", "pA.2", "pB.1", "m0.1", "m0.2"])
positions = st.builds(PinnedPosition, logs, st.integers(0, 2**64 - 1), times)


@st.composite
def any_pins(draw: st.DrawFn) -> Pin:
    of_pin: tuple[PinnedPosition, ...] = ()
    for position in draw(st.lists(positions, max_size=4)):
        of_pin = merge_positions(of_pin, (position,))
    return Pin(draw(times) if not of_pin or draw(st.booleans()) else 0.0, of_pin)


def end(pin: Pin) -> float:
    return max(pin.until, *(position.expires_at for position in pin.positions), 0.0)


names = st.sampled_from(["default", "audit", "users", "*"])
pin_sets = st.dictionaries(names, any_pins()).map(PinSet.of)


@given(pin_sets, pin_sets)
def test_join_is_commutative(a: PinSet, b: PinSet) -> None:
    assert a.join(b) == b.join(a)


@given(pin_sets, pin_sets, pin_sets)
def test_join_is_associative(a: PinSet, b: PinSet, c: PinSet) -> None:
    assert a.join(b).join(c) == a.join(b.join(c))


@given(pin_sets)
def test_join_is_idempotent_and_nothing_is_its_neutral_element(a: PinSet) -> None:
    assert a.join(a) == a == a.join(NOTHING) == NOTHING.join(a)


def holds(pin: Pin | None, now: float, replayed: dict[str, int]) -> bool:
    """What a pin means: whether it sends a read to the master, if the replica has replayed so much."""
    return pin is not None and (
        pin.until > now
        or any(
            position.expires_at > now and replayed.get(position.log, -1) < position.offset for position in pin.positions
        )
    )


@given(pin_sets, pin_sets, times, st.dictionaries(logs, st.integers(0, 2**64 - 1)))
def test_join_never_loses_a_pin_nor_ends_one_early(a: PinSet, b: PinSet, now: float, replayed: dict[str, int]) -> None:
    joined = a.join(b)
    assert set(joined) == {*a, *b}
    for name in joined:
        for pins in (a, b):
            if holds(pins.get(name), now, replayed):
                assert holds(joined[name], now, replayed)
        assert joined[name].until == max(pins[name].until for pins in (a, b) if name in pins)
        assert end(joined[name]) == max(end(pins[name]) for pins in (a, b) if name in pins)


@given(any_pins(), any_pins())
def test_each_log_has_one_position_the_furthest_and_the_longest(a: Pin, b: Pin) -> None:
    joined = merge_positions(a.positions, b.positions)
    assert [position.log for position in joined] == sorted({position.log for position in (*a.positions, *b.positions)})
    for position in joined:
        same = [other for other in (*a.positions, *b.positions) if other.log == position.log]
        assert (position.offset, position.expires_at) == (max(m.offset for m in same), max(m.expires_at for m in same))


def test_a_timed_pin_joined_with_a_positioned_one_does_not_end_with_the_position() -> None:
    timed, positioned = Pin(100.0), Pin(positions=(PinnedPosition("pA.1", 5, 1000.0),))
    both = PinSet.of({"x": timed}).join(PinSet.of({"x": positioned}))["x"]
    assert holds(both, 99.0, {"pA.1": 5})
    assert not holds(both, 101.0, {"pA.1": 5})
    assert holds(both, 101.0, {"pA.1": 4})


@given(pin_sets, times, st.dictionaries(logs, st.integers(0, 2**64 - 1)))
def test_alive_keeps_exactly_what_ends_later(a: PinSet, now: float, replayed: dict[str, int]) -> None:
    alive = a.alive(now)
    assert set(alive) == {name for name, pin in a.items() if end(pin) > now}
    for name, pin in a.items():
        assert holds(alive.get(name), now, replayed) == holds(pin, now, replayed)
    assert alive.alive(now) == alive


def test_a_pinned_set_does_not_change_with_what_it_was_made_of() -> None:
    source = {"default": Pin(1.0)}
    pins = PinSet.of(source)
    source["default"] = Pin(2.0)
    assert pins == {"default": Pin(1.0)}
    with pytest.raises(TypeError):
        pins["default"] = 3.0  # type: ignore[index]


def test_equal_pinned_sets_are_one_in_a_set() -> None:
    assert len({PinSet({"default": 1.0}), PinSet.of({"default": Pin(1.0)})}) == 1
    assert repr(PinSet({"default": 1.0})) == "PinSet({'default': Pin(until=1.0, positions=())})"
