"""`make model`: explores the larger worlds too, and prints what was explored, and each mutant's shortest story."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
django.setup()

from tests.model.explore import explore  # noqa: E402
from tests.model.larger_worlds import LARGE  # noqa: E402
from tests.model.mutants import MUTANTS, Mutant  # noqa: E402
from tests.model.scenario import Scenario  # noqa: E402
from tests.model.worlds import SMALL  # noqa: E402


def show_progress(states: int, transitions: int) -> None:
    if sys.stderr.isatty():
        print(f"  {states:,} states, {transitions:,} transitions ...", end="\r", file=sys.stderr, flush=True)


def explored(scenario: Scenario) -> bool:
    """Explore a world, and return whether the guarantees hold in it."""
    found = explore(scenario, show_progress)
    print(f"{found.states:>9,} {found.transitions:>11,} {found.seconds:>7.1f}  {scenario.name}", flush=True)
    if found.story:
        print(textwrap.indent(f"VIOLATED:\n{found.story}", "    "), flush=True)
    return not found.story


def killed(mutant: Mutant) -> bool:
    """Explore the mutant's world, and return whether the model notices the mutant."""
    (world,) = (scenario for scenario in SMALL if scenario.name == mutant.world)
    with mutant.applied():
        found = explore(world)
    verdict = "noticed" if found.story else "NOT NOTICED"
    print(f"\n{mutant.guarantee}: {mutant.name}: {verdict} after {found.states:,} states")
    print(textwrap.indent(found.story, "    "), flush=True)
    return bool(found.story)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make model", description=__doc__)
    parser.add_argument("words", nargs="*", help="only worlds and mutants with one of these words in their name")
    words = parser.parse_args().words

    def wanted(name: str) -> bool:
        return not words or any(word in name for word in words)

    began = time.perf_counter()
    print("   states transitions seconds  world")
    worlds = [explored(scenario) for scenario in (*SMALL, *LARGE) if wanted(scenario.name)]
    print("\nMutants of the shipped code, each with the shortest story that shows it:")
    mutants = [killed(mutant) for mutant in MUTANTS if wanted(mutant.name)]
    print(f"\n{sum(worlds)} of {len(worlds)} worlds hold, {sum(mutants)} of {len(mutants)} mutants are noticed.")
    print(f"{time.perf_counter() - began:.0f} s.")
    return 0 if all(worlds) and all(mutants) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
