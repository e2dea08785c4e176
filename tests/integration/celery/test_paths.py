"""Every path a message can take: the task at its end starts with its caller's pins (G3)."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from celery import chain, group
from celery.canvas import chunks, xstarmap

import pindb
from tests.carriers import DAY, carrying
from tests.integration.celery.conftest import Surroundings
from tests.unit.pindb_celery.apps import taken

BOTH = ["audit", "default"]


WAYS: dict[str, Callable[[Surroundings], Any]] = {
    "delay": lambda paths: paths.task("where").delay(),
    "apply_async": lambda paths: paths.task("where").apply_async(),
    "send_task": lambda paths: paths.app.send_task("tests.integration.celery.project.where"),
    "countdown": lambda paths: paths.task("where").apply_async(countdown=0.1),
    "eta": lambda paths: paths.task("where").apply_async(eta=datetime.datetime.now(datetime.UTC)),
    "expires": lambda paths: paths.task("where").apply_async(expires=60),
    "link": lambda paths: paths.task("where").apply_async(link=paths.task("where")),
    "one of a group": lambda paths: group(paths.task("where"), paths.task("where")).apply_async()[1],
    "chain": lambda paths: chain(paths.task("where"), paths.task("where"), paths.task("where")).apply_async(),
    "own headers": lambda paths: paths.task("where").apply_async(headers={"x-mine": 1}),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_task_starts_with_its_callers_pins_and_with_no_others(paths: Surroundings, way: str) -> None:
    seen = taken(WAYS[way](paths))
    assert (seen["pinned"], seen["new"]) == ([], [])
    pindb.pin("default")
    seen = taken(WAYS[way](paths))
    assert (seen["pinned"], seen["new"]) == (["default"], [])
    with pindb.pinning_context():
        assert taken(WAYS[way](paths))["pinned"] == []


@pytest.mark.parametrize("task", ["retries", "autoretries", "replaced"])
def test_a_retry_or_replacement_keeps_its_callers_pins_and_what_was_written(
    paths: Surroundings, task: str, key: str
) -> None:
    # Noted, for a result may be lost: under rpc a replacement's is answered to nobody, and an attempt that retries at
    # once may store its RETRY after the next attempt's SUCCESS.
    pindb.pin("default")
    paths.task(task, key).delay()
    (note,) = paths.noted(key)
    assert note["pinned"] == BOTH


def test_the_next_steps_of_a_chain_read_what_the_steps_before_wrote(paths: Surroundings) -> None:
    pindb.pin("default")
    steps = chain(paths.task("writes", "audit"), paths.task("where"), paths.task("where"))
    assert taken(steps.apply_async())["pinned"] == BOTH


def test_a_link_reads_what_its_task_wrote(paths: Surroundings, key: str) -> None:
    paths.task("writes", "audit").apply_async(link=paths.task("note", key))
    (note,) = paths.noted(key)
    assert note["pinned"] == ["audit"]


@pytest.mark.parametrize("errback", ["errback_old", "errback_new"])
@pytest.mark.parametrize("task", ["fails", "gives_up"])
def test_an_errback_reads_what_the_failed_task_wrote(paths: Surroundings, errback: str, task: str) -> None:
    pindb.pin("default")
    arguments = ("audit",) if task == "fails" else ()
    result = paths.task(task, *arguments).apply_async(link_error=paths.task(errback, immutable=False))
    (note,) = paths.noted(f"errback {result.id}")
    assert note["pinned"] == BOTH


def test_what_a_task_publishes_reads_what_it_wrote_and_what_it_was_given(paths: Surroundings, key: str) -> None:
    pindb.pin("default")
    paths.task("publishes", "audit", key).delay()
    (note,) = paths.noted(key)
    assert note["pinned"] == BOTH


def test_what_an_eager_task_inside_a_task_wrote_is_handed_on(paths: Surroundings, key: str) -> None:
    paths.task("nested_eager", key).delay()
    (note,) = paths.noted(key)
    assert note["pinned"] == ["audit"]


def test_chunks_and_starmap_start_with_their_callers_pins(paths: Surroundings) -> None:
    pindb.pin("default")
    task = paths.task("pair", immutable=False)
    for call in (xstarmap(task, [(1, 2)], app=paths.app), chunks(task, [(1, 2), (3, 4)], 2, app=paths.app)):
        for seen in taken(call.apply_async()):
            for one in seen if isinstance(seen, list) else [seen]:
                assert one["pinned"] == ["default"]


def test_a_pinned_task_is_pinned_whoever_calls_it(paths: Surroundings) -> None:
    for task in ("pinned_below", "pinned_above"):
        assert taken(paths.task(task).delay())["new"] == ["audit"]


def test_an_unpinned_task_reads_a_replica_whatever_its_caller_wrote(paths: Surroundings) -> None:
    pindb.pin("default")
    assert taken(paths.task("reads_replica").delay()).startswith("default-")


@pytest.mark.parametrize("how", ["ignore", "reject"])
def test_however_a_task_ends_the_next_one_starts_clean(paths: Surroundings, how: str) -> None:
    for _ in range(8):
        paths.task("ends", how).delay()
    for _ in range(8):
        assert taken(paths.task("where").delay())["pinned"] == []


def test_concurrent_tasks_stay_apart(paths: Surroundings) -> None:
    results = []
    for number in range(20):
        with pindb.pinning_context():
            if number % 2:
                pindb.pin("default")
            results.append(paths.task("where").delay())
    assert [taken(result)["pinned"] for result in results] == [[], ["default"]] * 10


def test_a_lapsed_pin_is_not_carried(paths: Surroundings) -> None:
    lapsed = carrying(default=-1)
    assert taken(paths.task("where").apply_async(headers={"pindb": lapsed}))["pinned"] == []


@pytest.mark.parametrize(
    "garbage",
    ["x", ["x"], {"v": 2}, "2;whatever", pytest.param(carrying(nowhere=DAY), id="a set nobody knows")],
)
def test_garbage_in_the_header_means_masters(paths: Surroundings, garbage: Any) -> None:
    assert taken(paths.task("where").apply_async(headers={"pindb": garbage}))["pinned"] == BOTH
