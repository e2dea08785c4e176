"""`make simulation`: simulates for some time on each core, and prints the seed and the operations a minute."""

from __future__ import annotations

import argparse
import os
import random
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
django.setup()

from tests.simulation.simulate import Simulated, simulate  # noqa: E402

HISTORIES = 40
"""How many one seed has."""

STEPS = 300


def simulated(first: int, seconds: float, processes: int) -> Iterator[Simulated]:
    """Produce what each seed from `first` on has brought, until the time is up. Odd seeds have two DB sets."""
    ends = time.monotonic() + seconds
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:

        def start(seed: int) -> Future[Simulated]:
            return pool.submit(simulate, seed, histories=HISTORIES, steps=STEPS, audit=seed % 2 == 1)

        running: set[Future[Simulated]] = {start(first + number) for number in range(processes)}
        seed = first + processes
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
                if time.monotonic() < ends:
                    running.add(start(seed))
                    seed += 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, help="the first seed; the same one tells the same histories")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    first = random.randrange(10**6) if options.seed is None else options.seed
    print(f"Seeds {first} and on, {options.processes} processes, {options.seconds:g} s.", flush=True)
    began, operations, seeds = time.monotonic(), 0, 0
    for result in simulated(first, options.seconds, options.processes):
        operations, seeds = operations + result.operations, seeds + 1
        minutes = (time.monotonic() - began) / 60
        if result.story:
            print(f"\nVIOLATED, again with: make simulation SEED={result.seed} SECONDS=0")
            print(textwrap.indent(result.story, "    "), flush=True)
            return 1
        end = "\r" if sys.stderr.isatty() else "\n"
        print(
            f"  {seeds} seeds, {operations:,} operations, {operations / minutes:,.0f} a minute",
            end=end,
            file=sys.stderr,
        )
    print(f"\nThe guarantees held in {operations:,} operations, {operations / minutes:,.0f} a minute.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
