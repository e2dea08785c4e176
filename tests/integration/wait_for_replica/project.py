"""What the Celery worker of these tests runs: tasks that read the DB set "goods" and say from where."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import django
import pymysql

pymysql.install_as_MySQLdb()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
django.setup()

from celery import Celery  # noqa: E402

import pindb_celery  # noqa: E402
from pindb import catching_up  # noqa: E402
from tests.integration.positions.goods import read_from  # noqa: E402

app = Celery(
    "catching-up",
    broker=os.environ.get("CAUGHT_UP_BROKER"),
    backend=os.environ.get("CAUGHT_UP_BACKEND"),
    include=["tests.integration.celery.stopping", "tests.integration.wait_for_replica.locking"],
)
app.conf.update(
    task_default_queue=os.environ.get("CAUGHT_UP_QUEUE", "caught-up"),
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    result_extended=True,
    **json.loads(os.environ.get("CAUGHT_UP_CELERY", "{}")),
)
pindb_celery.install(app)


def told(task: Any, name: str) -> dict[str, Any]:
    """Return what a task has seen of itself, and of the row `name`."""
    alias, found = read_from(name)
    request = task.request
    return {
        "alias": alias,
        "found": found,
        "put_back": catching_up.SINCE in (request.headers or {}),
        "retries": request.retries,
        "parent": request.parent_id,
        "arguments": getattr(request, "argsrepr", None),
        "custom": (request.headers or {}).get("custom"),
    }


@app.task(bind=True)
@pindb_celery.caught_up("goods", timeout=60)
def below(self: Any, name: str) -> Any:
    return told(self, name)


@pindb_celery.caught_up("goods", timeout=60)
@app.task(bind=True, acks_late=True)
def above(self: Any, name: str) -> Any:
    return told(self, name)


@app.task(bind=True)
@pindb_celery.caught_up("goods", timeout=1)
def impatient(self: Any, name: str) -> Any:
    return told(self, name)


@app.task(bind=True, max_retries=1)
@pindb_celery.caught_up("goods", timeout=60)
def fails_once(self: Any, name: str) -> Any:
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    return told(self, name)


@app.task(bind=True)
def calls_another(self: Any, name: str) -> Any:
    return [below.run(name), above(name), below.apply((name,)).result]


@app.task(bind=True)
@pindb_celery.caught_up("goods", timeout=60)
def writes_down(self: Any, name: str, file: str) -> None:
    """Leave what was seen in a file, for a caller who wants no result."""
    Path(file).write_text(json.dumps(told(self, name)))


@app.task
def body(parts: Any, *more: Any) -> Any:
    return [parts, *more]
