"""Does what a plan says, in a view, a task or an actor: a plan is a list of steps, and a step is JSON.

["read", key, style]          reads a row; styles: "get", "values", "raw"
["write", key, style]         counts its version up; styles: "update", "save", "raw", "commit" (then [plans, path] to
                              send on commit, as a fourth item)
["celery", path, plans]       sends tasks; paths: see `tasks.send`
["dramatiq", path, plans]     sends actors' messages; paths: see `actors.send`
["take", queue, plan]         sends, waits for the result and takes it; where no result may be taken, it only sends
["pause", seconds]            does nothing for so long
["again"]                     what is left of a Celery task's plan is done by a retry
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from django.conf import settings
from django.db import connections, router, transaction
from django.db.models import F

from tests.histories.store.messages import note
from tests.histories.store.models import row
from tests.histories.store.units import Unit
from tests.shop import observe

Step = list[Any]
Plan = list[Step]


HEADERS = {"garbage": "gar%bage", "newer": "2;!later=1", "empty": ""}
"""By path: what the message has where its pins should be. "newer" is what a later release may write."""


class Sender(Protocol):
    """A queue: sends plans along a path; the parents of their units of work are `past`."""

    def __call__(self, path: str, plans: list[Plan], past: list[str]) -> Any: ...


def perform(unit: Unit, plan: Plan, *, in_task: bool) -> Plan:
    """Do the steps; return those that a retry has to do. What fails is recorded, and raised."""
    try:
        for number, (do, *what) in enumerate(plan):
            if do == "again":
                if in_task:
                    return plan[number + 1 :]
            elif do == "take":
                take(unit, *what, in_task=in_task)
            else:
                STEPS[do](unit, *what)
    except Exception as error:
        unit.failed(error)
        raise
    return []


def read(unit: Unit, key: str, style: str) -> None:
    """Read a row, and record its version."""
    model, pk = row(key)
    rows: Any = model._default_manager
    with observe.reads() as reads:
        if style == "get":
            version = rows.get(pk=pk).version
        elif style == "values":
            version = list(rows.filter(pk=pk).values_list("version", flat=True))[0]  # noqa: RUF015 - one SELECT
        else:
            version = next(
                iter(rows.raw(f"SELECT id, version FROM {model._meta.db_table} WHERE id = %s", [pk]))
            ).version
    unit.note("read", key, version, list(reads)[-1])  # a read that is repeated ends on the master


def write(unit: Unit, key: str, style: str, then: Any = None) -> None:
    """Count a row's version up, and record it; `then` is sent on commit."""
    model, pk = row(key)
    rows: Any = model._default_manager
    master = router.db_for_write(model)
    if style == "raw":
        with connections[master].cursor() as cursor:
            cursor.execute(
                f"UPDATE {model._meta.db_table} SET version = version + 1 WHERE id = %s RETURNING version", [pk]
            )
            [version] = cursor.fetchone()
        unit.note("write", key, version, master)
        return
    with transaction.atomic(using=master):
        if style == "save":
            found = rows.using(master).select_for_update().get(pk=pk)
            found.version += 1
            found.save(update_fields=["version"])
            version = found.version
        else:
            rows.filter(pk=pk).update(version=F("version") + 1)
            version = rows.using(master).get(pk=pk).version  # nobody else changes it before the commit

        def committed() -> None:
            unit.note("write", key, version, master)
            if then is not None:
                STEPS[then[0]](unit, *then[1:])

        transaction.on_commit(committed, using=master)


def _pause(_: Unit, seconds: float) -> None:
    time.sleep(seconds)


def _send_with(sender: Callable[[], Sender]) -> Callable[..., None]:
    def send(unit: Unit, path: str, plans: list[Plan]) -> None:
        _sent(sender(), path, plans, unit)

    return send


def _sent(sender: Sender, path: str, plans: list[Plan], unit: Unit) -> Any:
    """Send, and return what was sent. A failure is recorded as one of the broker as well."""
    try:
        sent = sender(path, plans, unit.past)
    except Exception:
        note("refused", path)
        raise
    unit.go_on()
    return sent


def take(unit: Unit, queue: str, plan: Plan, *, in_task: bool) -> None:
    """Send the plan to a task, wait for its result and take it. A task only sends: it may take no result."""
    sent = _sent(_celery() if queue == "celery" else _dramatiq(), "task", [plan], unit)
    if in_task or settings.HISTORIES_OLD:
        return
    if queue == "celery":
        from tests.histories.store.tasks import taken
    else:
        from tests.histories.store.actors import taken
    past = taken(sent)
    if past is not None:
        unit.go_on(past)


def _celery() -> Sender:
    from tests.histories.store.tasks import send

    return send


def _dramatiq() -> Sender:
    from tests.histories.store.actors import send

    return send


STEPS: dict[str, Callable[..., None]] = {
    "read": read,
    "write": write,
    "pause": _pause,
    "celery": _send_with(_celery),
    "dramatiq": _send_with(_dramatiq),
}
