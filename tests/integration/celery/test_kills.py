"""Tasks that are killed, time out or are lost: who follows them is not left with stale reads."""

from __future__ import annotations

from pathlib import Path

import celery
import pytest
from celery import chord

import pindb
from tests.integration.celery.combinations import parameters
from tests.integration.celery.conftest import Surroundings
from tests.unit.pindb_celery.apps import taken

BOTH = ["audit", "default"]


def before_5_7(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(celery.VERSION < (5, 7), reason=f"Celery before 5.7 {reason}")


pytestmark = pytest.mark.parametrize(
    "paths", parameters(lambda each: each.pool == "prefork" and each.backend in {"redis", "rpc"}), indirect=True
)


@pytest.mark.parametrize("errback", ["errback_old", "errback_new"])
@pytest.mark.parametrize("task", ["is_killed", "hits_hard_limit"])
def test_the_errback_of_a_killed_task_has_its_pins_and_reads_masters(
    paths: Surroundings, task: str, errback: str
) -> None:
    """Nobody knows what it wrote before it was killed."""
    pindb.pin("default")
    result = paths.task(task).apply_async(link_error=paths.task(errback, immutable=False))
    for note in paths.noted(f"errback {result.id}"):
        assert note["pinned"] == BOTH


@before_5_7(reason="calls no errback for a rejected task")
def test_the_errback_of_a_rejected_task_has_its_pins_and_reads_masters(paths: Surroundings) -> None:
    """The worker's main process publishes it."""
    pindb.pin("default")
    result = paths.task("ends", "reject").apply_async(link_error=paths.task("errback_old", immutable=False))
    (note,) = paths.noted(f"errback {result.id}")
    assert note["pinned"] == BOTH


def test_the_errback_of_a_chord_that_lost_a_header_task_has_its_pins_and_reads_masters(paths: Surroundings) -> None:
    if not paths.combination.has_chords:
        pytest.skip("rpc has no chords")
    pindb.pin("default")
    body = paths.task("where").on_error(paths.task("errback_old", immutable=False))
    result = chord([paths.task("is_killed"), paths.task("where")])(body)
    for note in paths.noted(f"errback {result.id}"):
        assert note["pinned"] == BOTH


def test_who_takes_the_result_of_a_killed_task_reads_masters(paths: Surroundings) -> None:
    with pytest.raises(Exception, match="Worker exited prematurely"):
        paths.task("is_killed").delay().get(timeout=60)
    assert pindb.get_newly_pinned() == set(BOTH)


def test_a_soft_time_limit_is_an_error_like_any_other(paths: Surroundings) -> None:
    result = paths.task("hits_soft_limit").apply_async(link_error=paths.task("errback_old", immutable=False))
    (note,) = paths.noted(f"errback {result.id}")
    assert note["pinned"] == ["audit"]
    assert taken(paths.task("where").delay())["pinned"] == []


@pytest.mark.parametrize(
    ("task", "again"),
    [
        pytest.param("is_killed_once", ["default"], id="redelivered by the broker, as it was"),
        pytest.param(
            "is_lost_once",
            BOTH,
            id="retried by the worker, which does not know what was written",
            marks=before_5_7(reason="has no retry_on_worker_lost"),
        ),
    ],
)
def test_a_task_that_lost_its_process_runs_again_with_its_pins(
    paths: Surroundings, task: str, again: list[str], tmp_path: Path, key: str
) -> None:
    pindb.pin("default")
    paths.task(task, str(tmp_path / "marker"), key).delay()
    first, second = paths.noted(key, count=2)
    assert first["pinned"] == ["default"]
    assert second["pinned"] == again
    assert first["pid"] != second["pid"]


@before_5_7(reason="cannot store a SystemExit as JSON")
def test_a_task_that_exits_takes_only_itself_away(paths: Surroundings) -> None:
    pindb.pin("default")
    result = paths.task("ends", "exit").apply_async(link_error=paths.task("errback_old", immutable=False))
    for note in paths.noted(f"errback {result.id}"):
        assert "default" in note["pinned"]
    with pindb.pinning_context():
        assert taken(paths.task("where").delay())["pinned"] == []
