"""One round: the shop under one routing, written to and enqueued from over HTTP, and what its tasks say they read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

from tests.demo.clients import Client
from tests.demo.processes import MASTERS, environment, running_shop
from tests.demo.queues import QUEUES
from tests.servers import PostgresCluster
from tests.shop.seen import Outcome, Seen

CUSTOMERS = ("ada", "barbara", "grace", "hedy", "katherine", "margaret")


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What the tasks of a round saw: those enqueued right after a write, and the reports, which follow none."""

    routing: str
    after_write: tuple[Outcome, ...]
    reports: tuple[Outcome, ...]

    @property
    def tasks(self) -> tuple[Outcome, ...]:
        """All tasks."""
        return self.after_write + self.reports

    @property
    def read_nothing(self) -> int:
        """How many tasks did not find the row that their caller had written."""
        return sum(not seen["found"] for seen in self.tasks)

    @property
    def read_old(self) -> int:
        """How many tasks found the row as it was before their caller wrote it."""
        return sum(seen["found"] and not seen["current"] for seen in self.tasks)

    @property
    def stale(self) -> int:
        """How many tasks did not see what their caller had written."""
        return self.read_nothing + self.read_old


def reads_on_master(tasks: Sequence[Seen]) -> int:
    """Return how many SELECTs of these tasks ran on a master."""
    return sum(count for seen in tasks for alias, count in seen["reads"].items() if alias in MASTERS)


def reads_on_replicas(tasks: Sequence[Seen]) -> int:
    """Return how many SELECTs of these tasks ran on a replica."""
    return sum(count for seen in tasks for alias, count in seen["reads"].items() if alias not in MASTERS)


def run_round(
    routing: str,
    cluster: PostgresCluster,
    *,
    broker_url: str,
    result_backend: str,
    queue: str = "celery",
    tasks: int = 200,
    pool: str | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    at_end: Callable[[], None] = lambda: None,
    **shop: str,
) -> RoundResult:
    """Run the shop under `routing`: `tasks` that follow a write, and as many that follow none.

    Half of the writes place an order, which the standby does not have yet; half pay one, which the standby has as it
    was placed. The cluster has been through `prepare`; its standbys' lag is the caller's choice. `progress` is told how
    many requests are done, of how many; `at_end` is called before the shop stops; `shop` are more `SHOP_*` variables,
    as for `environment`.
    """
    shop |= {"queue": queue, "broker_url": broker_url, "result_backend": result_backend}
    env = environment(cluster, routing=routing, **shop)
    used = QUEUES[queue]
    with running_shop(env, used, pool=pool or used.pool) as url:
        after_write, reports = send(url, cluster, tasks, progress)
        result = RoundResult(routing, *(used.results(result_backend, ids) for ids in (after_write, reports)))
        at_end()
        return result


def send(
    url: str, cluster: PostgresCluster, tasks: int, progress: Callable[[int, int], None]
) -> tuple[list[str], list[str]]:
    """Send a round's requests to the shop; return the ids of the tasks that follow a write, and of the reports."""
    anonymous = Client(url)
    customers = cycle([Client(url, name) for name in CUSTOMERS])
    after_write: list[str] = []
    reports: list[str] = []

    def enqueued(task: str) -> None:
        after_write.append(task)
        reports.append(anonymous.report()["task"])
        progress(2 * len(after_write), 2 * tasks)

    orders: list[tuple[Client, int]] = []
    for number in range(tasks - tasks // 2):
        customer = next(customers)
        placed = customer.place(f"{number}.50")
        orders.append((customer, placed["order"]))
        enqueued(placed["task"])
    cluster.wait_until_replayed()
    for customer, order in orders[: tasks // 2]:
        enqueued(customer.pay(order)["task"])
    return after_write, reports
