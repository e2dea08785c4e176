"""The shop's processes for a round: a web server and a worker, under one routing, on real servers."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.demo.queues import Queue
from tests.servers import Kept, PostgresCluster

ROOT = Path(__file__).parents[2]
MASTERS = ("default", "audit")
LEGACY = "legacy"
SETTINGS = "tests.shop.settings"
START_TIMEOUT = 30.0


def prepare(cluster: PostgresCluster, settings: str = SETTINGS) -> None:
    """Make the databases and tables of the shop with these settings; return when every standby has them."""
    for name in (*MASTERS, LEGACY):
        cluster.create_database(_database(name))
    with Kept([sys.executable, "-m", "tests.shop.tables"], env=environment(cluster, settings), cwd=ROOT) as tables:
        if tables.wait(START_TIMEOUT):
            raise RuntimeError(f"The shop's tables could not be made:\n{tables.log_text()}")
    cluster.wait_until_replayed()


def environment(cluster: PostgresCluster, settings: str = SETTINGS, **shop: str) -> Mapping[str, str]:
    """Return the environment of the shop's processes: this cluster is its DB sets, `shop` more `SHOP_*` variables."""
    # Not coverage's either: it takes longer than the shop does, and what the shop reaches is no measure of the tests.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SHOP_", "COVERAGE_"))}
    masters = {name: cluster.master.settings(_database(name)) for name in MASTERS}
    sets = {name: [standby.settings(_database(name)) for standby in cluster.standbys] for name in MASTERS}
    return inherited | {
        "DJANGO_SETTINGS_MODULE": settings,
        "SHOP_MASTERS": json.dumps(masters),
        "SHOP_SETS": json.dumps(sets),
        "SHOP_LEGACY": json.dumps(cluster.master.settings(_database(LEGACY))),
        **{f"SHOP_{name.upper()}": value for name, value in shop.items()},
    }


@contextmanager
def running_shop(env: Mapping[str, str], queue: Queue, *, pool: str, concurrency: int = 2) -> Iterator[str]:
    """Run the shop's web server and worker; yield the shop's URL when both are ready."""
    with (
        Kept([sys.executable, "-m", "tests.shop.serve", "0"], env=env, cwd=ROOT) as server,
        Kept(queue.worker(pool, concurrency), env=env, cwd=ROOT) as worker,
    ):
        server.wait_for_log("Serving the shop", START_TIMEOUT)
        worker.wait_for_log(" ready.", START_TIMEOUT)
        address = re.search(r"http://\S+/$", server.log_text(), re.MULTILINE)
        assert address is not None
        try:
            yield address[0]
        except Exception as error:
            error.add_note(f"The web server's log:\n{server.log_text()}\nThe worker's log:\n{worker.log_text()}")
            raise


def _database(name: str) -> str:
    return f"shop_{name}"
