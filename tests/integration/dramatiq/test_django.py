"""The real django-dramatiq: the middleware by name in its settings, its command, its middleware, the system check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Kept, Valkey
from tests.unit.pindb_dramatiq.brokers import READY

ROOT = Path(__file__).parents[3]
OURS = "pindb_dramatiq.PinDbMiddleware"
# django-dramatiq's own default but for Prometheus, which Dramatiq 2 has taken elsewhere.
THEIRS = [
    *(f"dramatiq.middleware.{name}" for name in ("AgeLimit", "TimeLimit", "Callbacks", "Retries")),
    "django_dramatiq.middleware.AdminMiddleware",
    "django_dramatiq.middleware.DbConnectionsMiddleware",
]
MANAGE = [sys.executable, "-m", "tests.shop.manage"]


def environment(middleware: list[str], **more: str) -> dict[str, str]:
    settings = {"DJANGO_SETTINGS_MODULE": "tests.integration.dramatiq.project.settings"}
    # rundramatiq looks for the program beside the interpreter; its subprocesses find the project by PYTHONPATH.
    return {**os.environ, **settings, "PYTHONPATH": str(ROOT), "PROJECT_MIDDLEWARE": " ".join(middleware), **more}


def run(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)


@pytest.mark.parametrize(
    ("middleware", "says"),
    [
        ([OURS, *THEIRS], None),
        ([*THEIRS, OURS], "pindb_dramatiq.W002"),
        ([THEIRS[0], OURS, *THEIRS[1:]], "pindb_dramatiq.W002"),
    ],
)
def test_manage_check_says_when_it_is_not_the_first(middleware: list[str], says: str | None) -> None:
    said = run([*MANAGE, "check"], environment(middleware)).stderr
    assert ("pindb_dramatiq" in said) == (says is not None)
    if says:
        assert says in said
        assert "dramatiq.middleware.age_limit.AgeLimit comes before PinDbMiddleware" in said
        assert f'"MIDDLEWARE": ["{OURS}", ...]' in said


def test_manage_check_says_when_it_is_missing_once_the_package_is_an_app() -> None:
    assert "pindb_dramatiq.W001" in run([*MANAGE, "check"], environment(THEIRS, PROJECT_APPS="pindb_dramatiq")).stderr


@pytest.fixture(scope="module")
def answer(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the project's sender got, with a worker that `rundramatiq` runs, on replicas that never catch up."""
    directory = str(tmp_path_factory.mktemp("shop"))
    env = environment([OURS, *THEIRS, "tests.integration.dramatiq.process.SayReady"], PROJECT_REDIS=valkey.url(6))
    env["SHOP_DIRECTORY"] = directory
    run([sys.executable, "-m", "tests.shop.tables"], env)
    with Kept([*MANAGE, "rundramatiq", "--processes", "1", "--threads", "2"], env=env, cwd=ROOT) as worker:
        worker.wait_for_log(READY)
        try:
            return json.loads(run([sys.executable, "-m", "tests.integration.dramatiq.project.send"], env).stdout)
        except Exception as error:
            error.add_note(worker.log_text())
            raise


@pytest.mark.parametrize("way", ["after a write", "delayed"])
def test_an_actor_reads_what_its_caller_wrote(way: str, answer: Any) -> None:
    assert answer[way] == {"found": True, "reads": {"default": 1}, "pinned": ["default"]}


def test_the_admins_own_writes_pin_neither_sender_nor_actor(answer: Any) -> None:
    """It names the database that it uses, so no router is asked."""
    assert answer["messages in the admin"] == 4
    assert answer["sending pins"] == []
    seen = answer["after no write"]
    assert (seen["found"], seen["pinned"]) == (False, [])
    assert set(seen["reads"]) <= {"default-1", "default-2"}


def test_who_takes_a_result_reads_what_its_actor_wrote(answer: Any) -> None:
    assert answer["taken"] == ["default"]
    assert answer["found"]
