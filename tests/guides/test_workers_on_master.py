"""From workers on the master: first they count what they would gain, then those of one queue read replicas."""

from __future__ import annotations

import re
from pathlib import Path

from tests.guides.site import STORY, Site, told

PROJECT = "workers_on_master.after"


def test_before_every_task_reads_the_master(site: Site) -> None:
    told_here = told(site.play("workers_on_master.before", worker={"WORKER": "1"}))
    assert (told_here["task"], told_here["task after no write"]) == ("placed", "master")
    assert told_here["next request"] == "missing"


def test_in_shadow_mode_nothing_changes_for_tasks_and_the_report_says_what_they_would_gain(
    site: Site, tmp_path: Path
) -> None:
    told_here = told(site.play(PROJECT, PINDB_REPORT=str(tmp_path)))
    assert told_here == {
        "task": "placed",
        "next request": "placed",
        "another user": "master",
        "task after no write": "master",
    }
    report = site.run(PROJECT, "-m", "django", "pindb_report", PINDB_REPORT=str(tmp_path))
    assert re.search(r"task +tests.guides.orders.tasks.report +1 +1 +1 +100.0 %", report), report
    assert re.search(r"task +tests.guides.orders.tasks.confirm +1 +1 +0 +0.0 % +pinned by the caller 1", report)


def test_then_the_workers_of_one_queue_read_the_replica(site: Site) -> None:
    told_here = told(site.play(PROJECT, *(step.replace("2/", "3/") for step in STORY), worker={"REPLICAS": "on"}))
    assert told_here == {
        "task": "placed",
        "next request": "placed",
        "another user": "master",
        "task after no write": "replica",
    }
