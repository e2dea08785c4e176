"""One run: the store in one mode, its servers, its browsers, and what was recorded of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Event, Lock
from uuid import uuid4

from pindb.testing.servers.processes.keeping import KeptDirectory
from tests.demo.processes import environment, prepare, running_shop
from tests.demo.queues import QUEUES
from tests.journeys.browsers import Browser
from tests.journeys.figures import Figures, figures
from tests.journeys.paths import READER, SHOPPER, read, shop, sign_up
from tests.journeys.plan import Mode, Plan
from tests.journeys.records import Unit
from tests.journeys.replay import ReplayTimeline
from tests.servers import PostgresCluster, Valkey, wait_until

SETTINGS = "tests.journeys.store.settings"
TASK = "task"
KINDS = (READER, SHOPPER, TASK)
TASKS_OF_AN_ORDER = 2
TASKS_TIMEOUT = 60.0
EARLY_VISITORS = 4

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run measured, by kind of unit of work, and in words what was not found."""

    figures: dict[str, Figures]
    missed: list[str]

    @property
    def stale(self) -> int:
        """How many reads were stale, and how many pages and tasks missed something."""
        return sum(one.stale for one in self.figures.values())


class StoppedError(Exception):
    """The run ends before its browsers have."""


def prepare_store(cluster: PostgresCluster) -> None:
    """Make the databases and tables; return when every standby has them."""
    prepare(cluster, SETTINGS)


def measure(
    mode: Mode, cluster: PostgresCluster, valkey: Valkey, plan: Plan, progress: Progress = lambda done, of: None
) -> Outcome:
    """Run the journeys in one mode. The cluster is prepared; its standbys' lag is the caller's choice."""
    valkey.flush()
    cluster.wait_until_replayed()
    with KeptDirectory("pindb-journeys-") as directory:
        records = directory.path / "records"
        env = environment(
            cluster,
            SETTINGS,
            routing=mode.routing,
            pindb=json.dumps(mode.pindb),
            sessions=mode.sessions,
            records=str(records),
            broker_url=valkey.url(0),
            result_backend=valkey.url(1),
            cache=valkey.url(2),
        )
        queue = QUEUES["celery"]
        with ReplayTimeline(cluster.standbys) as timeline, running_shop(env, queue, pool=queue.pool) as url:
            if mode.routing == "pindb":  # without it the tasks of early visitors may never be seen
                _warm_up(url)
            missed, orders = _browse(url, cluster, plan, progress)
            wait_until(
                lambda: len(_units(records, TASK)) >= orders * TASKS_OF_AN_ORDER,
                TASKS_TIMEOUT,
                lambda: f"the tasks of {orders} orders have run: {len(_units(records, TASK))} have",
            )
        units = {kind: _units(records, kind) for kind in KINDS}
    sums = {kind: figures(found, timeline, plan.wait, sum(journey == kind for journey, _ in missed))
            for kind, found in units.items()}  # fmt: skip
    in_words = [words for _, words in missed] + [words for unit in units[TASK] for words in unit.missed]
    return Outcome(sums, in_words)


def _browse(url: str, cluster: PostgresCluster, plan: Plan, progress: Progress) -> tuple[list[tuple[str, str]], int]:
    """Let all browsers take their paths; return what they missed, with their journey, and the number of orders."""
    run, done = uuid4().hex[:8], 0
    lock, stopped = Lock(), Event()

    def click() -> None:
        nonlocal done
        if stopped.wait(plan.pace):
            raise StoppedError
        with lock:
            done += 1
            progress(done, plan.clicks)

    readers = [Browser(url, f"reader-{run}-{number}") for number in range(plan.readers)]
    shoppers = [Browser(url, f"shopper-{run}-{number}") for number in range(plan.shoppers)]
    for browser in readers:
        sign_up(browser)
    # They signed up long ago: every replica has them, no pin is left.
    cluster.wait_until_replayed()
    for browser in readers:
        browser.forget_pins()
    with ThreadPoolExecutor(max(1, plan.readers + plan.shoppers)) as pool, _stopping(stopped):

        def visit(path: Callable[[Browser, Random], int | None], browser: Browser, journey: str) -> int | None:
            chance = Random(browser.name)
            stopped.wait(chance.uniform(0, plan.pace))  # not all at the same moment
            return path(browser.on(journey, click), chance)

        reading = [pool.submit(visit, read, browser, READER) for browser in readers]
        shopping = [pool.submit(visit, shop, browser, SHOPPER) for browser in shoppers]
        for path in reading:
            path.result()
        orders = [path.result() for path in shopping]
    missed = [(browser.journey, words) for browser in (*readers, *shoppers) for words in browser.missed]
    return missed, sum(order is not None for order in orders)


def _warm_up(url: str) -> None:
    """Have every process of the store do everything once, unrecorded: the first time it takes long."""

    def visit(number: int) -> None:
        browser = Browser(url, f"early-{uuid4().hex[:8]}-{number}")
        order = shop(browser, Random(number))
        wait_until(
            lambda: len(browser.get(f"/orders/{order}").get("history", ())) > TASKS_OF_AN_ORDER,
            TASKS_TIMEOUT,
            lambda: f"the tasks of the early order {order} have run: {browser.missed}",
        )

    with ThreadPoolExecutor(EARLY_VISITORS) as pool:
        list(pool.map(visit, range(EARLY_VISITORS)))


@contextmanager
def _stopping(stopped: Event) -> Iterator[None]:
    """Have the browsers stop at their next click where the block is left by an exception."""
    try:
        yield
    except BaseException:
        stopped.set()
        raise


def _units(records: Path, kind: str) -> list[Unit]:
    if not records.exists():
        return []
    *lines, _ = records.read_text().split("\n")  # the last one may not be complete
    return [unit for line in lines if (unit := Unit.from_json(line)).journey == kind]
