"""What docs/doctor.md shows is what the command prints, numbers aside, on real servers with a real worker."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Kept, PostgresCluster, Valkey

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "doctor.md").read_text()
EXAMPLE = re.compile(r"^```\n\$ manage\.py (pindb_doctor[^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = EXAMPLE.findall(PAGE)
MANAGE = """
import sys
import django
django.setup()
import tests.shop.celery
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "pindb.middleware.PinDbMiddleware"]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A site whose second replica is down and whose middleware is in the wrong order, with a worker."""
    with PostgresCluster(standbys=1) as cluster, Valkey() as valkey:
        cluster.create_database("shop")
        cluster.wait_until_replayed()
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.shop.settings",
            "SHOP_MASTERS": json.dumps({name: cluster.master.settings("shop") for name in ("default", "audit")}),
            "SHOP_SETS": json.dumps({"default": [{"PORT": cluster.standbys[0].port}, {"PORT": 1}], "audit": []}),
            "SHOP_APPS": "",
            "SHOP_BROKER_URL": valkey.url(),
            "SHOP_RESULT_BACKEND": valkey.url(1),
            "SHOP_PINDB": json.dumps({"MIDDLEWARE": MIDDLEWARE}),
            "SHOP_CELERY": json.dumps({"CELERY_TASK_DEFAULT_QUEUE": "shop"}),
        }
        quick = ["--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel=INFO", "--pool=solo"]
        command = [sys.executable, "-m", "celery", "-A", "tests.shop.celery", "worker", *quick]
        with Kept(command, env=environment, cwd=ROOT) as worker:
            worker.wait_for_log(" ready.", 60)
            yield environment


def masked(text: str) -> str:
    """The numbers differ from run to run, and which clock is ahead."""
    return re.sub(r"\d+(\.\d+)?", "0", text).replace("behind this machine's", "ahead of this machine's")


def test_the_page_shows_it_at_work() -> None:
    assert len(SHOWN) >= 2


@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[command for command, _ in SHOWN])
def test_what_the_page_shows_is_printed(command: str, output: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANAGE, *shlex.split(command), "--no-color"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    printed = done.stdout if output.startswith("settings:") else "\n".join(section(done.stdout, output))
    assert masked(printed).strip() == masked(output).strip()


def section(printed: str, output: str) -> Iterator[str]:
    """Produce the lines of the one section that `output` shows."""
    inside = False
    for line in printed.splitlines():
        if not line.startswith(" "):
            inside = output.startswith(f"{line}\n")
        if inside:
            yield line
