"""What position mode costs and brings: `python -m tests.benchmarks.position` (or `make bench-position`).

A web process writes orders of the shop on a real PostgreSQL master, whose standby is 20 ms behind, and publishes a
task after each, which a worker process runs 0 to 100 ms later; as many tasks follow no write. An oracle that asks
the standby just before each task knows whether it would do. The queue is a pipe: brokers have other benchmarks.
"""

from __future__ import annotations

import argparse
import heapq
import json
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from tests.servers import PostgresCluster

LAG = 0.02
WAIT_LAGS = (0.02, 0.06, 0.5)
WAITS = (0.0, 0.01, 0.02, 0.05, 0.1)
LATEST_START = 0.1
PACE = 0.02
WAIT_PACE = 0.06  # so that a task's wait seldom delays the next task


class Mode(NamedTuple):
    name: str
    settings: dict[str, Any]
    masters: bool = False
    plain: bool = False
    reconnects: bool = False


POSITION = {"PINDB_CONSISTENCY": "position"}
MODES = [
    Mode("a plain replica router", {}, plain=True),
    Mode("workers on the master", {}, masters=True),
    Mode("pindb, time mode", {"PINDB_CONSISTENCY": "time"}),
    Mode("pindb, position mode", POSITION),
    Mode("  without a wait", {**POSITION, "PINDB_POSITION_WAIT_SECONDS": 0}),
    Mode("  a connection per task", POSITION, reconnects=True),
]


class Task(NamedTuple):
    due: float
    order: int | None
    message: Any


class Run(NamedTuple):
    follows_write: bool
    found: bool
    on_replica: bool
    oracle: bool
    asked: int
    seconds: float


def start_django() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
    import django

    django.setup()


@contextmanager
def asking() -> Iterator[list[str]]:
    """Collect the aliases that pindb asks something."""
    from django.db import connections

    from pindb.servers.vendors.base import QUERY_MARKER

    asked: list[str] = []

    def note(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if str(sql).startswith(QUERY_MARKER):
            asked.append(context["connection"].alias)
        return execute(sql, params, many, context)

    with ExitStack() as stack:
        for alias in ("default", "default-1"):
            stack.enter_context(connections[alias].execute_wrapper(note))
        yield asked


def work(queue: Connection, results: Connection, mode: Mode) -> None:
    """The worker process: runs each task when it is due."""
    start_django()
    from django.test import override_settings

    results.send(None)
    waiting: list[tuple[float, int, Task]] = []
    more, number = True, 0
    with override_settings(**mode.settings), asking() as asked:
        while more or waiting:
            pause = waiting[0][0] - time.time() if waiting else 1.0
            if more and queue.poll(max(0.0, pause)):
                task = queue.recv()
                more = task is not None
                if more:
                    number += 1
                    heapq.heappush(waiting, (task.due, number, task))
            elif waiting and pause <= 0:
                asked.clear()
                results.send(run(heapq.heappop(waiting)[2], mode, asked))
    results.send(None)


def run(task: Task, mode: Mode, asked: list[str]) -> Run:
    from django.db import connections

    import pindb
    from pindb import propagation
    from tests.shop.models import Order

    if mode.reconnects:
        connections.close_all()
    rows = Order.objects.filter(pk=task.order) if task.order else Order.objects.all()[:1]
    oracle = task.order is None or rows.using("default-1").exists()
    if mode.plain:
        place = pindb.unpinned_replica("default")
    else:
        place = pindb.master("default") if mode.masters else nullcontext()  # type: ignore[assignment]
    with propagation.open_message(task.message), place:
        began = time.perf_counter()
        alias = rows.db
        took = time.perf_counter() - began
        found = rows.exists()
    return Run(task.order is not None, found, alias != "default", oracle, len(asked), took)


def measure(mode: Mode, count: int, pace: float = PACE) -> tuple[list[Run], int]:
    """Return what the worker saw, and how many questions the web process asked."""
    from django.test import override_settings

    import pindb
    from pindb import propagation
    from tests.shop.models import Customer, Order

    context = multiprocessing.get_context("spawn")
    (queue, sender), (receiver, results) = context.Pipe(duplex=False), context.Pipe(duplex=False)
    worker = context.Process(target=work, args=(queue, results, mode))
    worker.start()
    receiver.recv()  # it has started, and does not begin with a backlog
    rng = random.Random(1)
    questions = 0
    with override_settings(**mode.settings), asking() as asked:
        customer, _ = Customer.objects.using("default").get_or_create(name="bench")
        for _ in range(count):
            for follows_write in (True, False):
                with pindb.pinning_context():
                    order = Order.objects.create(customer_id=customer.pk, total=1) if follows_write else None
                    message = propagation.outgoing()
                due = time.time() + rng.uniform(0, LATEST_START)
                sender.send(Task(due, order.pk if order else None, message))
                time.sleep(pace)
        questions = len(asked)
    sender.send(None)
    runs: list[Run] = []
    while (seen := receiver.recv()) is not None:
        runs.append(seen)
    worker.join()
    return runs, questions


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=300, help="tasks that follow a write, per row of the table")
    count = parser.parse_args().writes
    with PostgresCluster(standbys=1) as cluster:
        for name in ("shop", "audit"):
            cluster.create_database(name)
        os.environ["SHOP_MASTERS"] = json.dumps(
            {"default": cluster.master.settings("shop"), "audit": cluster.master.settings("audit")}
        )
        standby = {"HOST": "127.0.0.1", "PORT": cluster.standbys[0].port}
        os.environ["SHOP_SETS"] = json.dumps({"default": [standby], "audit": []})
        start_django()
        from tests.shop.tables import create_tables

        create_tables()
        cluster.wait_until_replayed()
        cluster.set_lag(LAG)
        compare_modes(count)
        compare_waits(count, cluster)


def compare_modes(count: int) -> None:
    print(f"{count} tasks after a write and {count} after none, per row; standby {LAG * 1000:.0f} ms behind, ", end="")
    print(f"tasks start 0 to {LATEST_START * 1000:.0f} ms after the write\n")
    print(f"{'':26}{'stale':>7}{'on replicas':>13}{'of oracle':>11}{'no write':>10}{'asked at publish':>18}"
          f"{'asked in tasks':>16}")  # fmt: skip
    for mode in MODES:
        runs, questions = measure(mode, count)
        follow = [one for one in runs if one.follows_write]
        possible = [one for one in follow if one.oracle]
        rest = [one for one in runs if not one.follows_write]
        print(
            f"{mode.name:26}{sum(not one.found for one in follow):>7}"
            f"{share(sum(one.on_replica for one in follow), len(follow)):>13}"
            f"{share(sum(one.on_replica for one in possible), len(possible)):>11}"
            f"{share(sum(one.on_replica for one in rest), len(rest)):>10}"
            f"{questions / len(runs):>18.2f}{sum(one.asked for one in runs) / len(runs):>16.2f}"
        )
    print("\non replicas: tasks after a write; of oracle: of those where the standby had the row just before;")
    print("no write: tasks after none; asked: round trips of pindb per task")


def compare_waits(count: int, cluster: PostgresCluster) -> None:
    print(f"\nPINDB_POSITION_WAIT_SECONDS: {count} tasks after a write per row; the decision where a task reads\n")
    print(f"{'standby behind':>14}{'wait':>9}{'stale':>7}{'on replicas':>13}{'mean':>10}{'p50':>10}{'p99':>10}")
    for lag in WAIT_LAGS:
        cluster.set_lag(lag)
        for wait in WAITS:
            settings = {**POSITION, "PINDB_POSITION_WAIT_SECONDS": wait}
            follow = [one for one in measure(Mode("", settings), count, WAIT_PACE)[0] if one.follows_write]
            took = sorted(one.seconds * 1000 for one in follow)
            mean, half, most = sum(took) / len(took), took[len(took) // 2], took[int(len(took) * 0.99)]
            print(
                f"{lag * 1000:>11.0f} ms{wait * 1000:>6.0f} ms{sum(not one.found for one in follow):>7}"
                f"{share(sum(one.on_replica for one in follow), len(follow)):>13}"
                f"{mean:>7.1f} ms{half:>7.1f} ms{most:>7.1f} ms"
            )


if __name__ == "__main__":
    main()
