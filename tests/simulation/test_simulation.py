"""The guarantees hold in random histories of a whole site, and the simulation notices mutants of the shipped code."""

from __future__ import annotations

from typing import Final

import pytest

from tests.model.mutants import MUTANTS, Mutant
from tests.simulation.simulate import simulate

NOTICED: Final = (
    "a pin does not reach the cached routes",
    "a write makes no pin",
    "all cookies have one name, so that an older answer overwrites a later one",
    "the first write wins: a join keeps the position that was there",
    "the header is dropped",
    "the position is not asked for again after another write",
    "a fan-in keeps the last parent only",
    "a fan-in loses a member",
    "a unit of work does not keep the replica that has caught up",
    "reads are not handed on, although monotonic reads are switched on",
    "a write goes where reads go",
    "the pins of a result are not taken",
)
"""Mutants that the short form notices. The others show in rarer histories, or in the small worlds of `tests/model`."""


@pytest.mark.parametrize("audit", [False, True], ids=["one DB set", "two DB sets"])
def test_the_guarantees_hold_in_random_histories(audit: bool) -> None:
    assert simulate(1, histories=60, steps=150, audit=audit).story == ""


def test_a_join_that_loses_a_db_set_is_noticed() -> None:
    (mutant,) = (each for each in MUTANTS if each.name == "a join keeps the DB sets of one side only")
    with mutant.applied():
        assert "does not see" in simulate(3, histories=60, steps=150, audit=True, shrink=False).story


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.name in NOTICED], ids=lambda mutant: mutant.name)
def test_a_mutant_of_the_shipped_code_is_noticed(mutant: Mutant) -> None:
    with mutant.applied():
        assert simulate(1, histories=60, steps=150, shrink=False).story


def test_a_seed_tells_the_same_histories_again() -> None:
    (mutant,) = (each for each in MUTANTS if each.name == "a write makes no pin")
    with mutant.applied():
        assert (found := simulate(7, histories=60, steps=40)) == simulate(7, histories=60, steps=40)
    assert found.story
