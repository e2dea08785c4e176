"""`python -m tests.histories` (or `make histories`): looks for reads that miss a write, on a site that is being broken.

Browsers read, write and enqueue on a site with three web servers (WSGI and ASGI), three workers (Celery with processes
and with threads, Dramatiq) and a PostgreSQL master with three standbys. Every few seconds something goes wrong: a
process of the site is killed, another release is deployed, the broker restarts, a standby is killed or stops, lags
change, connections are cut. Every read and write of a versioned row is recorded, and
`pindb.testing.check_history()` looks at all of them.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import django

from pindb.testing import Violation
from tests.demo.terminal import Progress, print_table, wait_for_processes
from tests.histories.memory import MAX_GROWTH, WARM_UP, Growth, measure_memory
from tests.histories.run import MODES, Outcome, Plan, measure
from tests.histories.servers import BROKERS, servers
from tests.histories.site import WORKERS

CONTROLS = {
    "no-pins-in-messages": "position",
    "no-cookie-read": "position",
    "first-pin-wins": "monotonic",
    "old-position": "position",
    "every-replica-will-do": "position",
    "results-bring-no-pins": "position",
}
CONTROL_OPERATIONS = 2000
WITH_PINDB, WITHOUT_PINDB, KEEPING = "pindb", "a plain replica router", "fault: units of work are kept"
MEMORY_COLUMNS = ("MiB of a worker and its processes", "first quarter", "last quarter", "growth")
STORIES = 5
COLUMNS = ("", "operations", "units", "violations", "moved", "failed", "messages", "lost", "on replicas", "seconds")


def main() -> int:
    """Return the exit status: 1 if pindb has broken a promise, or a control has not; 130 if interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.histories", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--seed", default=str(random.randrange(10**6)), help="repeats what clients do and what goes wrong")
    add("--operations", type=int, default=10_000, help="record at least so many (default: %(default)s)")
    add("--modes", default="monotonic", help=f"of {', '.join(MODES)} (default: %(default)s)")
    add("--broker", choices=BROKERS, default="redis", help="(default: %(default)s)")
    add("--controls", action="store_true", help="also run a plain replica router, and pindb with faults of one line")
    add("--memory", type=float, metavar="MINUTES", help="measure for so long whether workers' memory grows")
    add("--keep", type=Path, help="a directory for the history and the log of the processes")
    arguments = parser.parse_args()
    if arguments.memory:
        plan = Plan(arguments.seed, WARM_UP, broker=arguments.broker, limit=float("inf"))
        return memory(plan, 60 * arguments.memory, controls=arguments.controls)
    plans = {
        f"pindb, {mode}": Plan(
            arguments.seed, arguments.operations, mode, broker=arguments.broker, everything=True, promotion=True
        )
        for mode in arguments.modes.split(",")
    }
    if arguments.controls:
        plans |= controls(arguments.seed, arguments.broker)
    outcomes: dict[str, Outcome] | None = None
    with suppress(KeyboardInterrupt):
        outcomes = run(plans, arguments.keep)
    if outcomes is None:
        return interrupted()
    print_outcomes(outcomes, arguments.seed)
    return int(not all(as_it_should_be(title, outcome) for title, outcome in outcomes.items()))


def interrupted() -> int:
    """Say so, and return the exit status."""
    wait_for_processes()
    print("\nInterrupted: all servers are stopped, nothing is left behind.", file=sys.stderr)
    return 130


def memory(plan: Plan, seconds: float, *, controls: bool) -> int:
    """Measure the memory of workers with pindb and without, print it, and return the exit status."""
    plans = {WITH_PINDB: plan, WITHOUT_PINDB: replace(plan, routing="plain")}
    if controls:
        plans[KEEPING] = replace(plan, mutant="units-of-work-are-kept")
    lines: dict[str, Progress] = {}

    def progress(what: str, done: int, of: int) -> None:
        if what not in lines:
            lines[what] = Progress(*what.rsplit(", ", 1))
        lines[what](done, of)

    found = None
    with suppress(KeyboardInterrupt):
        found = measure_memory(plans, seconds=seconds, progress=progress)
    if found is None:
        return interrupted()
    print_table(
        [
            MEMORY_COLUMNS,
            *((f"{name}, {title}", *memory_cells(found[title][name])) for name in WORKERS for title in plans),
        ]
    )
    print(
        f"With pindb a worker may grow by {MAX_GROWTH:.0%} more than without it. Seed {plan.seed}, "
        f"broker {plan.broker}, Python {platform.python_version()}, {os.cpu_count()} cores."
    )
    return int(grows(found, WITH_PINDB) or (controls and not grows(found, KEEPING)))


def grows(found: Mapping[str, Mapping[str, Growth]], title: str) -> bool:
    """Tell whether a worker has grown more than one without pindb."""
    return any(each.share - found[WITHOUT_PINDB][name].share > MAX_GROWTH for name, each in found[title].items())


def memory_cells(found: Growth) -> tuple[str, ...]:
    """Return a worker's cells of the table."""
    return (*(f"{size / 2**20:.1f}" for size in (found.first, found.last)), f"{found.share:+.1%}")


def as_it_should_be(title: str, outcome: Outcome) -> bool:
    """Tell whether pindb has kept its promises, or a control has broken one."""
    return outcome.wrong == 0 if title.startswith("pindb, ") else outcome.figures.wrong > 0


def controls(seed: str, broker: str) -> dict[str, Plan]:
    """Return the runs that must find violations."""
    plan = Plan(seed, CONTROL_OPERATIONS, broker=broker)
    mutants = {f"fault: {name}": replace(plan, mode=mode, mutant=name) for name, mode in CONTROLS.items()}
    return {"a plain replica router": replace(plan, routing="plain"), **mutants}


def run(plans: dict[str, Plan], keep: Path | None) -> dict[str, Outcome]:
    """Start the servers, and run one plan after the other."""
    print("Each run starts PostgreSQL with three standbys, the broker, and the site.", flush=True)
    outcomes = {}
    for title, plan in plans.items():
        with servers(plan.broker) as running:
            outcomes[title] = measure(plan, running, Progress(title, "operations"))
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            name = title.replace(", ", "-").replace(" ", "-")
            (keep / f"{name}.log").write_text(outcomes[title].log)
            (keep / f"{name}.jsonl").write_text(outcomes[title].history)
    return outcomes


def print_outcomes(outcomes: dict[str, Outcome], seed: str) -> None:
    """Print the table, and each run's details."""
    print()
    print_table([COLUMNS, *(row(title, outcome) for title, outcome in outcomes.items())])
    for title, outcome in outcomes.items():
        found = outcome.figures
        print(f"\n{title}:")
        print(f"  violations: {counted(found.by_guarantee)}; not promised in this mode: {counted(found.unpromised)}")
        print(f"  went wrong on purpose: {counted(outcome.went_wrong)}")
        print(f"  requests: {counted(outcome.answers)}")
        print(f"  not sent, as their senders were told: {outcome.messages.refused} messages")
        print(f"  failures that are not pindb's fault: {counted(found.others)}")
        for violation in found.violations[:STORIES]:
            print(f"  {violation}")
            print(f"    {when(violation, outcome)}")
        for words in (*found.moved[:STORIES], *outcome.messages.lost()[:STORIES], *outcome.odd[:STORIES]):
            print(f"  {words}")
        for failure in found.by_pindb[:STORIES]:
            print(f"  {failure['error']} at {failure['alias']}, in {failure['unit']}\n{failure['traceback']}")
    print(
        f"\nSeed {seed}. Violations: what pindb promises in that mode. Moved: units of work that read a DB set from\n"
        "two replicas, or went back from the master. Failed: requests and tasks, for pindb's sake.\n"
        "Lost: messages that the broker had accepted and that no worker has done. Django "
        f"{django.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores."
    )


def when(violation: Violation, outcome: Outcome) -> str:
    """Return when both ends were, and what had gone wrong before the later one."""
    before = [(began, ended, what) for began, ended, what in outcome.story if began <= violation.later.at]
    told = ", ".join(f"{what} {began - violation.later.at:+.1f} to {ended - violation.later.at:+.1f} s"
                     for began, ended, what in before[-4:])  # fmt: skip
    return f"The later one came {violation.later.at - violation.earlier.at:.2f} s after the earlier. Before it: {told}."


def row(title: str, outcome: Outcome) -> tuple[str, ...]:
    """Return a run's row of the table."""
    found = outcome.figures
    share = f"{100 * found.on_replicas / max(1, found.reads):.0f} %"
    counts = (found.operations, found.units, len(found.violations), len(found.moved), len(found.by_pindb))
    messages = (len(outcome.messages.accepted), len(outcome.messages.waiting))
    return (title, *map(str, (*counts, *messages)), share, f"{outcome.seconds:.0f}")


def counted(counts: object) -> str:
    """Return counts in words."""
    items = sorted(dict(counts).items(), key=lambda item: -item[1])  # type: ignore[call-overload]
    return ", ".join(f"{count} {name}" for name, count in items) or "none"


if __name__ == "__main__":
    sys.exit(main())
