"""`python -m tests.journeys` (or `make journeys`): measures which share of a site's reads goes to replicas.

A shop with sessions, accounts, carts, forms and tasks runs on a PostgreSQL master with two standbys that lag.
Browsers read and shop in it. docs/journeys.md says how to read the table.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from contextlib import suppress
from typing import Any, TextIO

import django

from tests.demo.terminal import Progress, print_table, wait_for_processes
from tests.journeys.figures import Figures, Share
from tests.journeys.plan import MODES, Plan
from tests.journeys.run import Outcome, measure, prepare_store
from tests.servers import PostgresCluster, Valkey

DEFAULT_MODES = "time,position,time-cache,position-cache"
COLUMNS = (
    *("", "units", "reads", "on replicas", "but sessions"),
    *("of what G5 allows", "unannounced", "master in vain", "stale", "began"),
)
TITLES = {"reader": "  readers' requests", "shopper": "  shoppers' requests", "task": "  tasks"}


def main() -> int:
    """Return the exit status: 1 if something was stale under pindb, 130 if interrupted."""
    arguments = parse()
    plan = Plan(arguments.readers, arguments.shoppers, arguments.pace, arguments.wait)
    outcomes: dict[str, Outcome] | None = None
    with suppress(KeyboardInterrupt):
        outcomes = run(arguments.modes, plan, arguments.lag, sys.stderr if arguments.json else sys.stdout)
    if outcomes is None:
        wait_for_processes()
        print("\nInterrupted: all servers are stopped, nothing is left behind.", file=sys.stderr)
        return 130
    if arguments.json:
        print(json.dumps({mode: as_json(outcome) for mode, outcome in outcomes.items()}, indent=2))
    else:
        print_outcomes(outcomes, plan, arguments.lag)
        if arguments.details:
            print_details(outcomes)
    return int(any(outcome.stale for mode, outcome in outcomes.items() if mode != "plain"))


def parse() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.journeys", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add, usual = parser.add_argument, Plan()
    add("--modes", default=DEFAULT_MODES, help=f"of {', '.join(MODES)} (default: {DEFAULT_MODES})")
    add("--readers", type=int, default=usual.readers, help="browsers that only read (default: %(default)s)")
    add("--shoppers", type=int, default=usual.shoppers, help="browsers that order something (default: %(default)s)")
    add("--pace", type=float, default=usual.pace, help="seconds between two clicks (default: %(default)s)")
    add("--lag", type=float, default=0.05, help="seconds that the standbys lag (default: %(default)s)")
    add("--wait", type=float, default=usual.wait, help="seconds that G5 lets a read wait (default: %(default)s)")
    add("--details", action="store_true", help="list the reads that G5 allows on a replica and the master got")
    add("--json", action="store_true", help="print the figures as JSON, progress to stderr")
    arguments = parser.parse_args()
    arguments.modes = arguments.modes.split(",")
    if unknown := set(arguments.modes) - MODES.keys():
        parser.error(f"--modes: {', '.join(sorted(unknown))}: write some of {', '.join(MODES)}")
    return arguments


def run(modes: list[str], plan: Plan, lag: float, progress: TextIO) -> dict[str, Outcome]:
    """Start the servers, and run one mode after the other."""
    print("Starting PostgreSQL with two standbys, and Valkey ...", flush=True, file=progress)
    with PostgresCluster(standbys=2) as cluster, Valkey() as valkey:
        prepare_store(cluster)
        cluster.set_lag(lag)
        return {
            mode: measure(MODES[mode], cluster, valkey, plan, Progress(MODES[mode].title, "clicks", progress))
            for mode in modes
        }


def print_outcomes(outcomes: dict[str, Outcome], plan: Plan, lag: float) -> None:
    """Print the table, what it means, and what was missed."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for mode, outcome in outcomes.items():
        rows.append((MODES[mode].title, *[""] * (len(COLUMNS) - 1)))
        rows += [(TITLES[kind], *cells(found)) for kind, found in outcome.figures.items()]
    print()
    print_table(rows)
    print(
        f"""
{plan.readers} readers and {plan.shoppers} shoppers per mode, {plan.pace:g} s between two clicks; the standbys apply \
commits {lag * 1000:g} ms late.
but sessions: on replicas, of the reads of other tables than the sessions'.
of what G5 allows: on replicas, of the reads outside transactions, in units of work that have not written to that place
  yet, for which a replica had what the caller wrote, or got it within {plan.wait * 1000:g} ms.
unannounced: the same, without the reads after Django has asked the router where to write: these stay on the master.
master in vain: reads on the master that both replicas would have answered the same at that moment.
stale: reads, pages and tasks that missed what their own chain of requests and tasks had written.
began: tasks, how long after they were enqueued (median).
Django {django.__version__}, Python {platform.python_version()}."""
    )
    for mode, outcome in outcomes.items():
        for words in outcome.missed:
            print(f"missed in {MODES[mode].title}: {words}")


def print_details(outcomes: dict[str, Outcome]) -> None:
    """Print which reads the master got although G5 allows a replica, the most frequent first."""
    for mode, outcome in outcomes.items():
        for kind, found in outcome.figures.items():
            if found.refused:
                print(f"\nOn the master although G5 allows a replica, {MODES[mode].title},{TITLES[kind][1:]}:")
                print_table([(place, str(count)) for place, count in found.refused.items()])


def cells(found: Figures) -> tuple[str, ...]:
    """Return the numbers of a row."""
    shares = (found.reads, found.but_sessions, found.allowed, found.unannounced, found.same)
    started = "" if found.started_after is None else f"{found.started_after * 1000:.0f} ms"
    return (str(found.units), str(found.reads.whole), *map(str, shares), str(found.stale), started)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return the figures as JSON has them."""

    def share(value: Share) -> dict[str, Any]:
        return {"part": value.part, "whole": value.whole, "percent": value.percent}

    return {
        "missed": outcome.missed,
        **{
            kind: {
                "units": found.units,
                "on_replicas": share(found.reads),
                "on_replicas_but_sessions": share(found.but_sessions),
                "on_replicas_of_what_g5_allows": share(found.allowed),
                "on_replicas_of_these_unannounced": share(found.unannounced),
                "on_master_in_vain": share(found.same),
                "on_master_although_g5_allows": found.refused,
                "seconds_until_start": found.started_after,
                "stale": found.stale,
            }
            for kind, found in outcome.figures.items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
