"""Runs the simulation: the histories of one seed, the same ones each time."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.world import Violation
from tests.simulation.machine import Simulation, WithAudit


class Simulated(NamedTuple):
    """What the histories of a seed have brought."""

    seed: int
    operations: int
    story: str
    """The shortest history found that violates a guarantee; "" without one."""


def simulate(number: int, *, histories: int, steps: int, audit: bool = False, shrink: bool = True) -> Simulated:
    """Run so many histories of at most so many steps, drawn from the seed `number`, until one violates a guarantee.

    With `audit` the site has a second DB set.
    """
    kind: type[Simulation] = WithAudit if audit else Simulation

    class Seeded(kind):  # type: ignore[valid-type,misc]
        pass

    Simulation.operations = 0
    how = settings(
        max_examples=histories,
        stateful_step_count=steps,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        database=None,
        deadline=None,
        derandomize=False,  # the seed does that
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(number)(Seeded), settings=how)
    except Violation as violation:
        return Simulated(number, Simulation.operations, str(violation))
    return Simulated(number, Simulation.operations, "")
