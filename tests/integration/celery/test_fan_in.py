"""The body of a chord reads the writes of every header task, whichever finished last (G4)."""

from __future__ import annotations

import pytest
from celery import chain, chord, group
from celery.exceptions import ChordError

import pindb
from tests.integration.celery.combinations import parameters
from tests.integration.celery.conftest import Surroundings
from tests.unit.pindb_celery.apps import taken

BOTH = ["audit", "default"]
pytestmark = pytest.mark.parametrize("paths", parameters(lambda each: each.has_chords), indirect=True)


def at_least(paths: Surroundings, *aliases: str) -> list[str]:
    """What is pinned: no more than was written where the backend carries pins, else everything."""
    return sorted({*aliases}) if paths.combination.carries else BOTH


@pytest.mark.parametrize("slow", [0, 1])
def test_the_body_reads_what_each_header_task_wrote(paths: Surroundings, slow: int) -> None:
    header = [paths.task("writes", alias, 0.3 * (slow == n)) for n, alias in enumerate(("default", "audit"))]
    assert taken(chord(header)(paths.task("where")))["pinned"] == BOTH


@pytest.mark.parametrize("slow", [0, 1])
def test_the_body_is_pinned_where_somebody_wrote_and_nowhere_else(paths: Surroundings, slow: int) -> None:
    header = [paths.task("writes", "audit", 0.3 * slow), paths.task("where")]
    assert taken(chord(header)(paths.task("where")))["pinned"] == at_least(paths, "audit")


def test_where_nobody_wrote_the_body_reads_replicas(paths: Surroundings) -> None:
    assert taken(chord([paths.task("where"), paths.task("where")])(paths.task("where")))["pinned"] == at_least(paths)


def test_the_body_keeps_its_callers_pins(paths: Surroundings) -> None:
    pindb.pin("default")
    header = [paths.task("writes", "audit"), paths.task("where")]
    assert taken(chord(header)(paths.task("where")))["pinned"] == BOTH


def test_headers_of_the_body_s_own_do_not_get_in_the_way(paths: Surroundings) -> None:
    """Celery gives them to `celery.chord_unlock` as well, which goes out before the header tasks."""
    pindb.pin("default")
    body = paths.task("where").set(headers={"x-mine": 1})
    assert taken(chord([paths.task("writes", "audit"), paths.task("where")])(body))["pinned"] == BOTH


def test_the_body_of_an_empty_header_has_its_caller_s_pins(paths: Surroundings) -> None:
    pindb.pin("default")
    assert taken(chord([])(paths.task("where")))["pinned"] == ["default"]


def test_a_chord_of_chains(paths: Surroundings) -> None:
    header = [
        chain(paths.task("writes", "audit"), paths.task("where")),
        chain(paths.task("where"), paths.task("writes", "default"), paths.task("where")),
    ]
    assert taken(chord(header)(paths.task("where")))["pinned"] == BOTH


def test_a_group_in_a_chain_becomes_a_chord(paths: Surroundings) -> None:
    steps = chain(
        paths.task("where"), group(paths.task("writes", "audit"), paths.task("writes", "default")), paths.task("where")
    )
    assert taken(steps.apply_async())["pinned"] == BOTH


def test_nested_chords(paths: Surroundings) -> None:
    inner = chord([paths.task("writes", "audit"), paths.task("where")], paths.task("where"))
    assert taken(chord([inner, paths.task("writes", "default")])(paths.task("where")))["pinned"] == BOTH


def test_a_task_replaced_by_a_group_inside_a_chain(paths: Surroundings) -> None:
    assert taken(chain(paths.task("replaced_by_group"), paths.task("where")).apply_async())["pinned"] == BOTH


def test_a_failed_header_task_leaves_the_errback_its_pins(paths: Surroundings) -> None:
    body = paths.task("where").on_error(paths.task("errback_old", immutable=False))
    result = chord([paths.task("fails", "audit"), paths.task("where")])(body)
    with pytest.raises((ChordError, ZeroDivisionError)):
        taken(result)
    (note,) = paths.noted(f"errback {result.id}")
    assert "audit" in note["pinned"]


def test_a_chord_s_errback_and_taker_read_what_was_written_behind_the_header_task_that_failed(
    paths: Surroundings,
) -> None:
    """That task is the last to finish, so nobody has taken the results behind it."""
    body = paths.task("where").on_error(paths.task("errback_old", immutable=False))
    result = chord([paths.task("fails", "audit").set(countdown=1), paths.task("writes", "default")])(body)
    with pytest.raises((ChordError, ZeroDivisionError)):
        result.get(timeout=60)
    assert pindb.get_newly_pinned() == set(BOTH)
    (note,) = paths.noted(f"errback {result.id}")
    assert note["pinned"] == BOTH
