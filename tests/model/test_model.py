"""The guarantees hold in each state that the small worlds can reach, and the model notices each mutant."""

from __future__ import annotations

import pytest

from tests.model.explore import explore
from tests.model.mutants import MUTANTS, Mutant
from tests.model.scenario import Scenario
from tests.model.worlds import SMALL


@pytest.mark.parametrize("scenario", SMALL, ids=lambda scenario: scenario.name)
def test_the_guarantees_hold_in_each_state_of_a_small_world(scenario: Scenario) -> None:
    assert explore(scenario).story == ""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_of_the_shipped_code_is_noticed(mutant: Mutant) -> None:
    (world,) = (scenario for scenario in SMALL if scenario.name == mutant.world)
    with mutant.applied():
        found = explore(world)
    assert found.story, "the defect makes no difference in its world"
