"""The recorder of this process, and how a causal chain travels: in headers of requests, responses and messages."""

from __future__ import annotations

import json
import os
import time
from functools import cache
from typing import Any, Final

from celery import signals
from django.conf import settings

from tests.journeys.recorder import Recorder, current
from tests.journeys.records import Unit, place_of
from tests.journeys.servers import BesideServers

TASK: Final = "task"
HEADER: Final = "journey"


@cache
def recorder() -> Recorder:
    """Return it. Its first line opens the file; processes that are forked later append to the same."""
    file = os.open(os.environ["SHOP_RECORDS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    sets = {
        name: [f"{name}-{number}" for number, _ in enumerate(replicas, 1)]
        for name, replicas in settings.DATABASE_SETS.items()
    }
    # One write a line: those of several processes and threads do not mix.
    return Recorder(sets, BesideServers(settings.DATABASES), lambda line: os.write(file, f"{line}\n".encode()))


def start() -> None:
    """Record in this process, if a run has said where."""
    if "SHOP_RECORDS" in os.environ:
        recorder().install()
        signals.before_task_publish.connect(_send_needs, weak=False)
        signals.task_prerun.connect(_begin, weak=False)
        signals.task_postrun.connect(_end, weak=False)


def note_missed(what: str) -> None:
    """Record that this unit of work has not found what its chain has written."""
    unit = current.get()
    if unit is not None:
        unit.missed.append(what)


def note_question(table: str, db_set: str) -> None:
    """Record that Django has asked where to write to `table`, of this DB set."""
    unit = current.get()
    if unit is not None:
        unit.asked.add(place_of(table, db_set))


def _send_needs(headers: dict[str, Any], **_: Any) -> None:
    unit = current.get()
    if unit is not None:
        headers[HEADER] = json.dumps([time.time(), recorder().needs_of_the_next(unit)])


def _begin(task: Any, **_: Any) -> None:
    header = getattr(task.request, HEADER, None)
    if header is not None:
        enqueued, needs = json.loads(header)
        recorder().begin(Unit(TASK, task.name, needs, started_after=time.time() - enqueued))


def _end(**_: Any) -> None:
    if current.get() is not None:
        recorder().end()
