"""`pindb_report` adds up what real processes have counted: web servers, and workers whose children end after a task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.demo.clients import Client
from tests.demo.processes import ROOT, running_shop
from tests.demo.queues import QUEUES
from tests.servers import Valkey

CUSTOMERS = 6
REPORTS = 4
SETTINGS = {"PINDB_MODE": "shadow", "PINDB_PINNING_SECONDS": 600}


def environment(directory: Path, valkey: Valkey, queue: str, **settings: Any) -> Mapping[str, str]:
    """Return that of a shop without any replica, in shadow mode."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SHOP_", "COVERAGE_"))}
    return inherited | {
        "DJANGO_SETTINGS_MODULE": "tests.shop.settings",
        "SHOP_DIRECTORY": str(directory),
        "SHOP_SETS": json.dumps({"default": [], "audit": []}),
        "SHOP_QUEUE": queue,
        "SHOP_BROKER_URL": valkey.url(1),
        "SHOP_RESULT_BACKEND": valkey.url(2),
        "SHOP_CELERY": json.dumps({"CELERY_WORKER_MAX_TASKS_PER_CHILD": 1}),
        "SHOP_PINDB": json.dumps(SETTINGS | settings),
    }


def python(env: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", *arguments], env=env, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


def visit(shop: str, name: str) -> str:
    """Place an order and look at it; return the id of the task."""
    client = Client(shop, name)
    placed = client.place("12.50")
    with client.opener.open(f"{shop}orders/{placed['order']}") as response:
        assert json.load(response)["reads"] == {"default": 1, "audit": 1}
    task: str = placed["task"]
    return task


@pytest.mark.parametrize(("queue", "sink"), [("celery", "cache"), ("dramatiq", "directory")])
def test_no_count_of_any_process_is_lost_or_counted_twice(
    queue: str, sink: str, valkey: Valkey, tmp_path: Path
) -> None:
    redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": valkey.url(3)}
    report = "cache:default" if sink == "cache" else str(tmp_path)
    env = environment(tmp_path, valkey, queue, PINDB_REPORT=report, CACHES={"default": redis})
    python(env, "tests.shop.tables")
    with running_shop(env, QUEUES[queue], pool=QUEUES[queue].pool) as shop:
        tasks = [visit(shop, f"customer {number}") for number in range(CUSTOMERS)]
        tasks += [Client(shop).report()["task"] for _ in range(REPORTS)]
        assert len(QUEUES[queue].results(valkey.url(2), tasks)) == len(tasks)
    document = json.loads(python(env, "tests.shop.manage", "pindb_report", "--json"))
    works = {(work["kind"], work["name"].split(".")[-1]): work for work in document["work"]}
    assert (works["request", "place"]["units"], works["request", "place"]["reads"]) == (CUSTOMERS, 0)
    show = works["request", "show"]
    assert (show["units"], show["to_replicas"]) == (CUSTOMERS, CUSTOMERS)
    assert show["to_masters"] == {"pinned by the caller": CUSTOMERS}
    assert works["request", "report"]["units"] == REPORTS
    assert works["task", "confirm"]["units"] == CUSTOMERS
    assert works["task", "confirm"]["to_masters"] == {"pinned by the caller": CUSTOMERS}
    assert (works["task", "report"]["units"], works["task", "report"]["to_replicas"]) == (REPORTS, REPORTS)
    assert document["in_shadow_mode"] == document["reads"] == 3 * CUSTOMERS + REPORTS
    assert document["reads_kept_by_pins"] == 2 * CUSTOMERS
    (line,) = document["lines"]
    assert line["line"].startswith(str(Path("tests/shop/views.py")))
    assert (line["units"], line["handed_on"], line["reads"]) == (CUSTOMERS, CUSTOMERS, 0)
