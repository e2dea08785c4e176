"""The guarantees hold in random histories of a whole site, and the simulation notices mutants of the shipped code."""

from __future__ import annotations

from typing import Final

import pytest

from tests.model.mutants import MUTANTS, Mutant
from tests.simulation.events import EVENTS
from tests.simulation.simulate import simulate

NOTICED: Final = (
    "a pin does not reach the cached routes",
    "a write makes no pin",
    "the header is dropped",
    "a damaged header pins nothing",
    "a write goes where reads go",
    "a unit of work does not keep the replica that has caught up",
    "the pins of a result are not taken",
)
"""Mutants that the short form finds. The others need a rarer history, which `make simulation` finds or `make model`."""


def test_the_guarantees_hold_in_random_histories() -> None:
    assert simulate(1, histories=40, steps=150).story == ""


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.name in NOTICED], ids=lambda mutant: mutant.name)
def test_a_mutant_of_the_shipped_code_is_noticed(mutant: Mutant) -> None:
    with mutant.applied():
        assert simulate(1, histories=100, steps=150, shrink=False).story


def test_a_seed_tells_the_same_histories_again() -> None:
    (mutant,) = (each for each in MUTANTS if each.name == "a write makes no pin")
    with mutant.applied():
        assert simulate(7, histories=100, steps=100) == simulate(7, histories=100, steps=100)


def test_each_event_has_a_chance() -> None:
    assert len({repr(event) for event in EVENTS}) == len({event.happen for event in EVENTS}) > 25
