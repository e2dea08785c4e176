"""The pytest plugin: pytest finds the fixtures by itself, in a project without Django's plugin."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = """
import pindb


def test_one(pindb_decisions):
    assert pindb_decisions == []
    pindb.pin("default")


def test_two():
    assert not pindb.is_pinned("default")
"""

CONFTEST = f"""
import sys

sys.path.insert(0, {str(Path(__file__).parent)!r})
import shop

shop.set_up()
"""

with tempfile.TemporaryDirectory() as directory:
    Path(directory, "test_shop.py").write_text(TESTS)
    Path(directory, "conftest.py").write_text(CONFTEST)
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", directory], capture_output=True, text=True, check=False)
assert "2 passed" in run.stdout, run.stdout + run.stderr
print("pytest has the fixtures, and each test is a unit of work")
