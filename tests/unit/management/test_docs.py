"""What docs/ shows of `pindb_explain` is what the shop prints, lines of its code included."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLE = re.compile(r"^```\n\$ manage\.py (pindb_explain [^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = [
    (page.name, *block) for page in sorted((ROOT / "docs").glob("*.md")) for block in EXAMPLE.findall(page.read_text())
]
REPLICATED = """
import django; django.setup()
from tests.shop.models import AuditEntry, Customer, Order
from tests.shop.tables import create_tables, replicate
create_tables()
Order.objects.create(pk=7, customer=Customer.objects.create(name="Ada"), total=1)
AuditEntry.objects.create(order_id=7, event="new")
replicate()
"""


def shop(directory: Path, *arguments: str) -> str:
    environment = {**os.environ, "SHOP_DIRECTORY": str(directory), "DJANGO_SETTINGS_MODULE": "tests.shop.settings"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def any_replica(text: str) -> str:
    """The replicas take turns."""
    return re.sub(r"\bdefault-\d", "default-1", text)


def test_the_docs_show_requests_and_a_task() -> None:
    assert len(SHOWN) >= 3


@pytest.mark.parametrize(("page", "command", "output"), SHOWN, ids=[f"{page}-{command}" for page, command, _ in SHOWN])
def test_what_the_docs_show_is_printed(page: str, command: str, output: str, tmp_path: Path) -> None:
    shop(tmp_path, "-c", REPLICATED)
    printed = shop(tmp_path, "-m", "tests.shop.manage", *shlex.split(command))
    assert any_replica(printed) == any_replica(output)
