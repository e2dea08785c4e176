"""Tasks of celery-batches: each runs once for two messages, and stores a result for each of them."""

from __future__ import annotations

from typing import Any

from celery_batches import Batches, SimpleRequest

from tests.integration.celery.project import app, note, seen, write


def for_all(requests: list[SimpleRequest], result: Any) -> None:
    for request in requests:
        app.backend.mark_as_done(request.id, result, request=request)


@app.task(base=Batches, flush_every=2, flush_interval=60)
def where_in_batch(requests: list[SimpleRequest]) -> None:
    for_all(requests, seen())


@app.task(base=Batches, flush_every=2, flush_interval=60)
def writes_in_batch(requests: list[SimpleRequest]) -> None:
    write("audit")
    for_all(requests, seen())


@app.task(base=Batches, flush_every=2, flush_interval=60)
def publishes_in_batch(requests: list[SimpleRequest]) -> None:
    note.delay(requests[0].args[0])
