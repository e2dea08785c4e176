"""`python -m tests.demo`: runs the three rounds and prints what it has measured."""

from __future__ import annotations

import argparse
import platform
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import django

from tests.demo.metrics import SHOP, scraped
from tests.demo.processes import prepare
from tests.demo.queues import QUEUES
from tests.demo.rounds import RoundResult, reads_on_master, reads_on_replicas, run_round
from tests.demo.terminal import Progress, print_table, wait_for_processes
from tests.servers import PostgresCluster, Valkey

LAG_SECONDS = 2.0
ROUNDS = {
    "plain": "a plain replica router",
    "0.1.12": "unpin after each task, as 0.1.12 said",
    "pindb": "pindb",
}
COLUMNS = ("", "tasks", "read nothing", "read old data", "stale", "reads on master", "reads on replica")


def main() -> int:
    """Return the exit status: 1 if a task under pindb was stale, 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--tasks", type=int, default=200, help="tasks after a write, in each round (default: 200)")
    parser.add_argument("--queue", choices=sorted(QUEUES), default="celery", help="default: celery")
    parser.add_argument("--metrics", action="store_true", help="print what Prometheus would scrape of pindb's round")
    arguments = parser.parse_args()
    tasks = arguments.tasks
    if tasks < 2:
        parser.error("--tasks: at least 2, one that places an order and one that pays it")
    outcome = None
    with suppress(KeyboardInterrupt):
        outcome = run(tasks, arguments.queue, metrics=arguments.metrics)
    if outcome is None:
        wait_for_processes()
        print("\nInterrupted: all servers are stopped, nothing is left behind.")
        return 130
    results, conditions, series = outcome
    print()
    print_table([COLUMNS, *map(row, results)])
    print(f"\n{conditions}")
    if series:
        print("\nPindb's metrics in that round, scraped from its processes and added up:\n")
        print("\n".join(f"{name} {value:g}" for name, value in series.items()))
    return 1 if any(result.stale for result in results if result.routing == "pindb") else 0


def run(tasks: int, queue: str, *, metrics: bool) -> tuple[list[RoundResult], str, dict[str, float]]:
    """Start the servers, run the rounds; return the results, a sentence on the conditions, and the metrics if any."""
    print("Starting PostgreSQL with a standby, and Valkey ...", flush=True)
    series: dict[str, float] = {}
    with PostgresCluster(standbys=1) as cluster, Valkey() as valkey, TemporaryDirectory() as directory:
        exposed = {"metrics": directory, **SHOP} if metrics else {}
        prepare(cluster)
        cluster.set_lag(LAG_SECONDS)
        results = [
            run_round(
                routing,
                cluster,
                broker_url=valkey.url(0),
                result_backend=valkey.url(1),
                queue=queue,
                tasks=tasks,
                progress=Progress(title),
                at_end=lambda: series.update(scraped(Path(directory))),
                **(exposed if routing == "pindb" else {}),
            )
            for routing, title in ROUNDS.items()
        ]
        [(postgresql,)] = cluster.master.execute("SHOW server_version")
        [(lag,)] = cluster.standbys[0].execute("SHOW recovery_min_apply_delay")
    return (
        results,
        (
            f"Per round, HTTP requests enqueued {tasks} tasks right after a write and {tasks} that follow none.\n"
            f"The standby applied commits {lag} late. PostgreSQL {postgresql}, {QUEUES[queue]}, "
            f"Django {django.__version__}, Python {platform.python_version()}."
        ),
        series,
    )


def row(result: RoundResult) -> tuple[str, ...]:
    """Return a round's row of the table."""
    counts = (
        len(result.tasks),
        result.read_nothing,
        result.read_old,
        result.stale,
        reads_on_master(result.tasks),
        reads_on_replicas(result.tasks),
    )
    return (ROUNDS[result.routing], *map(str, counts))


if __name__ == "__main__":
    sys.exit(main())
