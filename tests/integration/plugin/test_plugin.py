"""The pytest plugin in a project of a user: which of its tests pass, which fail, and what these say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def report() -> str:
    """The output of the project's tests."""
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(ROOT), "-rA",
               "-p", "no:cacheprovider", "--ds", "tests.integration.plugin.project.settings",
               "tests/integration/plugin/project/orders.py"]  # fmt: skip
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return run.stdout + run.stderr


def test_tests_fail_that_read_past_a_write_and_no_others(report: str) -> None:
    outcomes = re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\S+)", report, re.MULTILINE)
    assert len(outcomes) > 20, report
    wrong = {
        f"{outcome} {name}"
        for outcome, name in outcomes
        if (outcome == "PASSED") != ("test_passes" in name) and "caught_it" not in name
    }
    assert wrong == set(), report
    # The code under test has caught the error: the end of the test tells.
    assert {outcome for outcome, name in outcomes if "caught_it" in name} >= {"ERROR"}


def test_a_failure_names_both_lines_and_why(report: str) -> None:
    told = re.search(r"A read of the replica 'default-1'.*\n.*written:(.*)\n.*read:(.*)\n.*why:(.*)", report)
    assert told, report
    assert "project/urls.py:" in told[1]
    assert "'shop_customer'" in told[1]
    assert "project/urls.py:" in told[2]
    assert "has pinned nothing" in told[3]


def test_a_request_without_the_cookie_is_not_said_to_have_one(report: str) -> None:
    whys = re.findall(r"why: +the reading unit of work (.*)", report)
    assert "came without pins, and has pinned nothing" in whys
    assert "came with cookie, and has pinned nothing" not in whys
