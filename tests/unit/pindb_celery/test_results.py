"""Results in one process: a wrapped method runs when it is called, and takes pins as its results are looked at."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import celery
import pytest
from celery import Celery
from celery.result import AsyncResult, ResultSet

import pindb
from pindb import propagation
from tests.carriers import carrying


def stored(app: Celery, task_id: str, *aliases: str) -> AsyncResult:
    """Return the result of a task that has written these aliases."""
    with propagation.open_message(carrying()):
        for alias in aliases:
            pindb.pin(alias)
        app.backend.store_result(task_id, None, "SUCCESS")
    return app.AsyncResult(task_id)


def test_iter_native_runs_when_it_is_called_and_takes_pins_as_it_is_read(app: Celery) -> None:
    """Celery 5.7 finalizes the barrier of a set there: it does so although nobody looks at the results."""
    results = ResultSet([], app=app)
    for number, alias in enumerate(("audit", "default")):
        results.add(stored(app, f"{app.main}-{number}", alias))
    called: list[Any] = []
    results._on_full = Mock(finalize=lambda: called.append("finalize"))
    found = results.iter_native()
    assert called == (["finalize"] if celery.VERSION >= (5, 7) else [])
    assert pindb.get_newly_pinned() == set()
    next(found)
    assert len(pindb.get_newly_pinned()) == 1
    list(found)
    assert pindb.get_newly_pinned() == {"audit", "default"}


def test_what_iter_native_refuses_it_refuses_at_once(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.backend, "iter_native", Mock(side_effect=NotImplementedError))
    with pytest.raises(NotImplementedError):
        ResultSet([], app=app).iter_native()
