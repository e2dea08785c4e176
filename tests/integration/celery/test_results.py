"""A caller that takes a task's result reads, from then on, what the task wrote (G9)."""

from __future__ import annotations

from typing import Any

import pytest
from celery import group
from celery.result import AsyncResult
from django.db import router

import pindb
from tests.carriers import carrying
from tests.integration.celery.combinations import parameters
from tests.integration.celery.conftest import Surroundings
from tests.shop.models import AuditEntry
from tests.unit.pindb_celery.apps import taken

BOTH = {"audit", "default"}


def expected(paths: Surroundings, *aliases: str) -> set[str]:
    return set(aliases) if paths.combination.carries else BOTH


def test_who_gets_a_result_reads_what_the_task_wrote(paths: Surroundings) -> None:
    assert router.db_for_read(AuditEntry) == "audit-1"
    assert paths.task("writes", "audit").delay().get(timeout=60) == "audit"
    assert pindb.get_newly_pinned() >= expected(paths, "audit")
    assert router.db_for_read(AuditEntry) == "audit"


def test_a_result_of_a_task_that_wrote_nothing_pins_nothing_where_that_can_be_known(paths: Surroundings) -> None:
    paths.task("where").delay().get(timeout=60)
    assert pindb.get_newly_pinned() == expected(paths)


def test_a_failure_is_a_result_too(paths: Surroundings) -> None:
    with pytest.raises(ZeroDivisionError):
        paths.task("fails", "audit").delay().get(timeout=60)
    assert "audit" in pindb.get_newly_pinned()


def test_looking_at_a_ready_result_is_taking_it(paths: Surroundings) -> None:
    result = AsyncResult(paths.task("writes", "audit").delay().id, app=paths.app)
    taken(result)
    assert pindb.get_newly_pinned() == set()
    assert result.ready()
    assert "audit" in pindb.get_newly_pinned()


def test_a_callback_of_get_reads_what_the_task_wrote(paths: Surroundings) -> None:
    seen: list[Any] = []
    paths.task("writes", "audit").delay().get(
        timeout=60, callback=lambda *_: seen.append(pindb.get_newly_pinned() >= expected(paths, "audit"))
    )
    assert seen == [True]


def test_a_callback_of_then_reads_what_the_task_wrote_once_it_has_looked_at_the_result(paths: Surroundings) -> None:
    seen: list[Any] = []

    def look(result: Any) -> None:
        assert result.successful()
        seen.append(pindb.get_newly_pinned() >= expected(paths, "audit"))

    result = paths.task("writes", "audit").delay()
    result.then(look)
    result.get(timeout=60)
    assert seen == [True]


def test_a_group_s_results_have_the_writes_of_all(paths: Surroundings) -> None:
    job = group(paths.task("writes", "audit"), paths.task("writes", "default"), paths.task("where")).apply_async()
    job.get(timeout=60)
    assert pindb.get_newly_pinned() >= BOTH


def test_join_is_as_good_as_get(paths: Surroundings) -> None:
    job = group(paths.task("writes", "audit"), paths.task("writes", "default")).apply_async()
    job.join(timeout=60)
    assert pindb.get_newly_pinned() >= BOTH


# Not under rpc: without pindb, too, a worker's thread that waits for an rpc result times out now and then.
WAITING = parameters(lambda each: each.pool != "solo" and each.backend != "rpc")


@pytest.mark.parametrize("paths", WAITING, indirect=True)
def test_a_task_that_waits_for_another_reads_what_that_wrote(paths: Surroundings) -> None:
    before, after = taken(paths.task("waits", "audit").delay())
    assert before == []
    assert "audit" in after


@pytest.mark.parametrize("paths", parameters(lambda each: each.carries), indirect=True)
def test_taking_results_prolongs_no_pin_that_was_only_given(paths: Surroundings) -> None:
    given = carrying(default=5)
    paths.task("where").apply_async(headers={"pindb": given}).get(timeout=60)
    assert pindb.get_pinned() == {"default"}
    assert pindb.get_newly_pinned() == set()
