"""The table in docs/queues.md says what the tests here prove, and what each queue declares that it cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("django.tasks", reason="Django 5.2 has no tasks")

from pindb.testing.queues import PATHS, QueueUnderTest
from tests.integration.contrib.test_celery import Celery
from tests.integration.contrib.test_django_q import DjangoQ
from tests.integration.contrib.test_django_tasks import DjangoTasks
from tests.integration.contrib.test_django_tasks_rq import DjangoTasksRQ
from tests.integration.contrib.test_dramatiq import Dramatiq
from tests.integration.contrib.test_huey import Huey
from tests.integration.contrib.test_rq import RQ

PAGE = Path(__file__).parents[3] / "docs" / "queues.md"
START, END = "<!-- paths -->\n", "<!-- end of paths -->"
QUEUES: tuple[type[QueueUnderTest], ...] = (Celery, Dramatiq, DjangoTasks, DjangoTasksRQ, RQ, Huey, DjangoQ)


def _answer(queue: type[QueueUnderTest], path: str) -> str:
    return "it has none" if path in queue.lacks else "no" if path in queue.cannot else "yes"


def table() -> str:
    """Return the table: a row for each path, a column for each queue, and below it the reasons."""
    rows = [["", *(queue.name for queue in QUEUES)], ["---"] * (len(QUEUES) + 1)]
    for path, meaning in PATHS.items():
        rows.append([meaning, *(_answer(queue, path) for queue in QUEUES)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    reasons = [
        f"- **{queue.name}**: {' '.join(dict.fromkeys(queue.cannot.values()))}" for queue in QUEUES if queue.cannot
    ]
    return "\n".join([*lines, "", *reasons, ""])


def test_the_table_of_paths_is_what_the_queues_declare() -> None:
    shown = PAGE.read_text().partition(START)[2].partition(END)[0]
    assert shown == table(), f"Write between {START.strip()} and {END}:\n{table()}"


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(START)
    PAGE.write_text(f"{before}{START}{table()}{END}{rest.partition(END)[2]}")
