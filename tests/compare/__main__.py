"""`python -m tests.compare`: pindb and what teams do without it, on the same servers; prints a table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from contextlib import suppress
from importlib.metadata import version
from itertools import count

import django

from tests.compare.brokers import BROKERS
from tests.compare.contenders import CONTENDERS
from tests.compare.figures import Cell
from tests.compare.page import PAGE, PICTURE, README, write
from tests.compare.picture import draw
from tests.compare.run import compare
from tests.compare.table import summary, table
from tests.demo.processes import prepare
from tests.demo.queues import QUEUES
from tests.demo.terminal import Progress, wait_for_processes
from tests.servers import PostgresCluster, Valkey

LAGS = "0,20,200,2000"
STANDBYS = 2
BROKER_NAMES = {"redis": "Redis (Valkey)", "rabbitmq": "RabbitMQ"}
BUSY = "The machine was busy with other work: latencies mean nothing, and the docs leave them out."


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 1 if a task under pindb was stale, 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.compare", description=__doc__)
    parser.add_argument("--tasks", type=int, default=200, help="tasks after a write, at each lag (default: 200)")
    parser.add_argument("--lags", default=LAGS, help=f"in milliseconds (default: {LAGS})")
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="default: %(default)s")
    parser.add_argument("--queue", choices=sorted(QUEUES), default="celery", help="default: celery")
    parser.add_argument("--broker", choices=sorted(BROKERS), default="redis", help="default: redis (Valkey)")
    parser.add_argument(
        "--write", action="store_true", help="to the docs; for Celery on Redis, the picture and README too"
    )
    options = parser.parse_args(arguments)
    if options.tasks < 2:
        parser.error("--tasks: at least 2, one that places an order and one that pays it")
    if unknown := set(options.contenders.split(",")) - set(CONTENDERS):
        parser.error(f"--contenders: there is no {', '.join(sorted(unknown))}, only {', '.join(CONTENDERS)}")
    outcome = None
    with suppress(KeyboardInterrupt):
        outcome = run(options)
    if outcome is None:
        wait_for_processes()
        print("\nInterrupted: all servers are stopped, nothing is left behind.")
        return 130
    cells, conditions, quiet = outcome
    print(f"\n{table(cells)}\n{conditions}")
    if options.write:
        write(PAGE, f"compare {options.queue} {options.broker}", conditions, table(cells, times=quiet))
        if (options.queue, options.broker) == ("celery", "redis"):
            write(README, "compare", conditions, summary(cells))
            draw(cells, PICTURE)
        print(f"\nWritten to {PAGE}.")
    return 1 if any(cell.mix.stale for cell in cells if CONTENDERS[cell.contender].routing == "pindb") else 0


def run(options: argparse.Namespace) -> tuple[list[Cell], str, bool]:
    """Start the servers and run the contenders; return the figures, the conditions, and whether latencies count."""
    print(f"Starting PostgreSQL with {STANDBYS} standbys, and Valkey ...", flush=True)
    contenders = options.contenders.split(",")
    lags = [float(lag) / 1000 for lag in options.lags.split(",")]
    numbers, rounds = count(1), len(contenders) * len(lags)

    def progress(title: str, lag: float) -> Progress:
        return Progress(f"[{next(numbers)}/{rounds}] {title}, {lag * 1000:,.0f} ms")

    before = os.getloadavg()[0]
    with PostgresCluster(standbys=STANDBYS) as cluster, Valkey() as valkey:
        prepare(cluster)
        cells = list(
            compare(
                cluster,
                valkey,
                contenders=contenders,
                lags=lags,
                tasks=options.tasks,
                queue=options.queue,
                broker=options.broker,
                report=progress,
            )
        )
        [(postgresql,)] = cluster.master.execute("SHOW server_version")
    after = os.getloadavg()[0]
    cores = os.cpu_count() or 1
    quiet = before <= cores and after <= 2 * cores  # the comparison keeps all cores busy itself
    conditions = (
        f"{QUEUES[options.queue]} on {BROKER_NAMES[options.broker]}. "
        f"At each lag, for each row: {options.tasks} tasks after a write; the mix has as many that follow none.\n"
        f"{cores} cores ({platform.machine()}), load {before:.1f} before and {after:.1f} after; "
        f"PostgreSQL {postgresql}, Django {django.__version__}, Python {platform.python_version()},\n"
        f"django-multidb-router {version('django-multidb-router')}, django_replicated {version('django-replicated')}."
    )
    return cells, conditions if quiet else f"{conditions}\n{BUSY}", quiet


if __name__ == "__main__":
    sys.exit(main())
