"""Beat is a publisher of its own, with nothing pinned."""

from __future__ import annotations

from pathlib import Path

from tests.integration.celery.combinations import Combination
from tests.integration.celery.conftest import Start


def test_a_scheduled_task_starts_with_nothing_pinned_whatever_its_scheduler_wrote(
    start: Start, tmp_path: Path, key: str
) -> None:
    schedule = {"notes": {"task": "tests.integration.celery.project.note", "args": [key], "schedule": 0.5}}
    options = ("--beat", f"--schedule={tmp_path / 'schedule'}")
    with start(Combination("valkey", "redis", "prefork"), *options, beat_schedule=schedule) as paths:
        assert [note["pinned"] for note in paths.noted(key, count=2)[:2]] == [[], []]
