"""What is loaded of task queues, in a process of its own: nothing is loaded but by the project."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.unit.adapters.test_checks import BROKER, CELERY, LATE, PROGRAM

CONFIRM = "def confirm(): pass"
NAMES = """
from pindb.adapters import loaded
before = sorted(loaded.tasks())
loaded.load_tasks()
print(json.dumps([before, sorted(loaded.tasks())]))
raise SystemExit
"""


def names(code: str) -> tuple[list[str], list[str]]:
    """Return the names of the tasks in a process that runs `code`, before and after those of its apps are imported."""
    before, after = output(code + NAMES)
    return before, after


def output(code: str) -> Any:
    """Return what a process prints that runs `code`."""
    program = PROGRAM.replace("{{settings}}", "").replace("{{code}}", code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nothing_is_there_without_a_queue() -> None:
    assert names("") == ([], [])


def test_actors_and_tasks_are_there_by_their_names_but_none_of_celerys_own() -> None:
    celery = "from celery import Celery; app = Celery('shop'); app.task(name='shop.confirm')(confirm)"
    code = f"{CONFIRM}\n{BROKER}\ndramatiq.actor(confirm, actor_name='say')\n{celery}"
    assert names(code) == (["say", "shop.confirm"], ["say", "shop.confirm"])


APPS = """
from pindb.adapters import loaded
print(json.dumps([app.main for app in loaded.project_apps()]))
raise SystemExit
"""


@pytest.mark.parametrize(
    ("code", "apps"),
    [
        ("", []),
        ("import celery; celery.current_app.main", []),
        (
            "import celery; celery.current_app.main; import pindb_celery; pindb_celery.install(celery.current_app)",
            ["default"],
        ),
        (f"{CELERY}; audit = Celery('audit')", ["audit", "shop"]),
    ],
)
def test_the_app_that_celery_makes_for_want_of_any_is_the_projects_only_with_pindb(code: str, apps: list[str]) -> None:
    assert output(code + APPS) == apps


def test_an_app_that_only_a_view_imports_is_found() -> None:
    shared = "from celery import shared_task\nshared_task(name='shop.confirm')(confirm)"
    code = f"{CONFIRM}\n{LATE}\nurlpatterns = Late()\n{shared}"
    assert names(code) == ([], ["shop.confirm"])
