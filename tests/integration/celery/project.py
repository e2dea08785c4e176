"""What the workers run: tasks that say what is pinned in them, and that write, fail, retry, replace and wait."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
django.setup()

from celery import Celery, Task, chord, group  # noqa: E402
from celery.exceptions import Ignore, Reject  # noqa: E402

import pindb  # noqa: E402
import pindb_celery  # noqa: E402
from tests.shop.models import AuditEntry, Customer, Order  # noqa: E402

WRITES: dict[str, Callable[[], object]] = {
    "default": lambda: Customer.objects.create(name=uuid.uuid4().hex),
    "audit": lambda: AuditEntry.objects.create(order_id=0, event="written"),
}


def make_app(**conf: Any) -> Celery:
    app = Celery(
        "paths",
        broker=os.environ.get("PATHS_BROKER"),
        backend=os.environ.get("PATHS_BACKEND"),
        include=[f"tests.integration.celery.{name}" for name in ("batches", "stopping", "threads")],
    )
    app.conf.update(
        task_default_queue=os.environ.get("PATHS_QUEUE", "paths"),
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
        result_chord_retry_interval=0.1,
        **{**json.loads(os.environ.get("PATHS_CONF", "{}")), **conf},
    )
    pindb_celery.install(app)
    return app


app = make_app()


# As a write at import would, in the main process and so in every process of the pool: no task may see it.
pindb.pin("default")


def write(alias: str) -> None:
    """An ORM write of a row: a statement that changes nothing pins nothing."""
    WRITES[alias]()


def seen() -> dict[str, Any]:
    return {"pinned": sorted(pindb.get_pinned()), "new": sorted(pindb.get_newly_pinned()), "pid": os.getpid()}


def record(key: str) -> None:
    """Say what is pinned to whoever reads the record: for tasks that have no caller."""
    line = json.dumps({"key": key, **seen()}) + "\n"
    descriptor = os.open(os.environ["PATHS_RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


@app.task
def where(*_: Any) -> Any:
    return seen()


@app.task
def note(key: str, *_: Any) -> None:
    record(key)


@app.task
def note_last(*arguments: Any) -> None:
    record(arguments[-1])


@app.task
def writes(alias: str, pause: float = 0.0) -> str:
    time.sleep(pause)
    write(alias)
    return alias


@app.task
def pair(a: int, b: int) -> Any:
    return seen()


@app.task
def fails(alias: str) -> None:
    write(alias)
    raise ZeroDivisionError


@app.task(bind=True, max_retries=3, default_retry_delay=0)
def retries(self: Any, key: str) -> None:
    if self.request.retries == 0:
        write("audit")
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    record(key)


@app.task(bind=True, autoretry_for=(ZeroDivisionError,), retry_kwargs={"max_retries": 3, "countdown": 0})
def autoretries(self: Any, key: str) -> None:
    if self.request.retries == 0:
        write("audit")
        raise ZeroDivisionError
    record(key)


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def gives_up(self: Any) -> None:
    write("audit")
    raise self.retry(exc=ZeroDivisionError(), countdown=0)


@app.task(bind=True)
def replaced(self: Any, key: str) -> Any:
    write("audit")
    return self.replace(note.si(key))


@app.task(bind=True)
def replaced_by_group(self: Any) -> Any:
    return self.replace(group(writes.si("audit"), writes.si("default")))


@app.task
def publishes(alias: str, key: str) -> None:
    write(alias)
    note.delay(key)


@app.task
def nested_eager(key: str) -> None:
    writes.apply(("audit",))
    note.delay(key)


@app.task
def waits(alias: str) -> Any:
    before = seen()["pinned"]
    writes.delay(alias).get(timeout=30, disable_sync_subtasks=False)
    return [before, seen()["pinned"]]


@app.task
def waits_for_group() -> Any:
    job = group(writes.s("audit"), writes.s("default")).apply_async()
    job.get(timeout=30, disable_sync_subtasks=False)
    return seen()["pinned"]


@app.task
def starts_chord(key: str) -> None:
    chord([writes.si("audit")])(note.si(key))


@app.task
def ends(how: str) -> None:
    write("audit")
    raise {"ignore": Ignore, "reject": Reject, "exit": SystemExit}[how]


@app.task(soft_time_limit=1, time_limit=30)
def hits_soft_limit() -> None:
    write("audit")
    time.sleep(20)


@app.task(time_limit=1)
def hits_hard_limit() -> None:
    write("audit")
    time.sleep(20)


@app.task
def hangs(key: str) -> None:
    write("audit")
    record(key)
    time.sleep(60)


@app.task
def is_killed() -> None:
    write("audit")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(acks_late=True, reject_on_worker_lost=True)
def is_killed_once(marker: str, key: str) -> None:
    record(key)
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)


@app.task(acks_late=True)
def outlives_its_worker(marker: str, key: str) -> None:
    record(key)
    if not Path(marker).exists():
        Path(marker).touch()
        time.sleep(60)


@app.task
def is_held_up(until: str, key: str) -> None:
    record(key)
    write("audit")
    while not Path(until).exists():
        time.sleep(0.01)


class Lingering(Task):
    """Is not acknowledged for long after its result has been stored."""

    acks_late = True
    trail = False  # or its result would say what it has published: then it is not published again

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        record(f"stored {task_id}")
        time.sleep(60)


@app.task(base=Lingering)
def writes_and_lingers(alias: str) -> None:
    write(alias)


@app.task(base=Lingering)
def only_lingers() -> None:
    pass


@app.task(bind=True, retry_on_worker_lost=True, max_retries=2, default_retry_delay=0)
def is_lost_once(self: Any, marker: str, key: str) -> None:
    record(key)
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)


@app.task
def errback_old(task_id: str) -> None:
    record(f"errback {task_id}")


@app.task
def errback_new(request: Any, exc: Any, traceback: Any) -> None:
    record(f"errback {request.id}")


@app.task
@pindb_celery.pinned("audit")
def pinned_below() -> Any:
    return seen()


@pindb_celery.pinned("audit")
@app.task
def pinned_above() -> Any:
    return seen()


@pindb_celery.unpinned("default")
@app.task
def reads_replica() -> Any:
    """Where a read really goes."""
    from django.db import router

    return router.db_for_read(Order)
