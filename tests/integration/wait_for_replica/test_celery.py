"""A Celery task with `@caught_up` waits in its queue for a replica: real worker, real standbys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import chord

import pindb
from tests.integration.positions.goods import Cluster, pause, resume, write
from tests.integration.wait_for_replica.combinations import Combination, parameters
from tests.integration.wait_for_replica.sites import Site, made_site
from tests.servers import Valkey, wait_until

REPLICAS = ("goods-1", "goods-2")


@pytest.fixture(scope="session", params=parameters())
def combination(request: pytest.FixtureRequest) -> Combination:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def shared_cluster(combination: Combination, clusters: Callable[[str], Cluster]) -> Cluster:
    return clusters(combination.database)


@pytest.fixture(scope="session")
def site(combination: Combination, shared_cluster: Cluster, valkey: Valkey) -> Iterator[Site]:
    with made_site(combination, shared_cluster, valkey) as made:
        yield made


def published(signature: Any, row: str, **options: Any) -> Any:
    with pindb.pinning_context():
        write(row)
        return signature.apply_async(**options)


def wait_for_put_back(site: Site, task_id: str, times: int = 1) -> None:
    wait_until(lambda: site.put_back(task_id) >= times, 30, lambda: f"put back:\n{site.worker.log_text()[-3000:]}")


@pytest.mark.parametrize("task", ["below", "above"])
def test_a_task_waits_for_a_replica_and_reads_the_write_there(goods: Cluster, site: Site, task: str) -> None:
    pause(goods)
    result = published(
        site.task(task, name(task, site)), name(task, site), headers={"custom": "kept"}, argsrepr="('hidden',)"
    )
    wait_for_put_back(site, result.id, 2)
    assert result.state == "PENDING"
    resume(goods)
    told = result.get(timeout=30)
    assert told.pop("alias") in REPLICAS
    assert told == {
        "found": True,
        "put_back": True,
        "retries": 0,
        "parent": None,
        "arguments": "('hidden',)",
        "custom": "kept",
    }


def test_one_replica_that_has_caught_up_will_do(goods: Cluster, site: Site) -> None:
    goods.standbys[0].pause_replay()
    for text in ("one", "two", "three", "four"):
        told = published(site.task("below", name(text, site)), name(text, site)).get(timeout=30)
        assert (told["alias"], told["found"]) == ("goods-2", True)


def test_a_task_whose_caller_wrote_nothing_runs_at_once(goods: Cluster, site: Site) -> None:
    pause(goods)
    with pindb.pinning_context():
        told = site.task("below", name("nobody", site)).apply_async().get(timeout=30)  # type: ignore[attr-defined]
    assert told["alias"] in REPLICAS
    assert not told["put_back"]


def test_after_the_timeout_a_task_runs_on_the_master(goods: Cluster, site: Site) -> None:
    pause(goods)
    told = published(site.task("impatient", name("late", site)), name("late", site)).get(timeout=30)
    assert (told["alias"], told["found"], told["put_back"], told["retries"]) == ("goods", True, True, 0)


def test_waiting_costs_none_of_the_retries(goods: Cluster, site: Site) -> None:
    pause(goods)
    result = published(site.task("fails_once", name("again", site)), name("again", site))
    wait_for_put_back(site, result.id, 2)
    resume(goods)
    told = result.get(timeout=30)
    assert (told["found"], told["retries"]) == (True, 1)


@pytest.mark.parametrize("task", ["singleton", "once", "once_or_error", "swallowing"])
def test_a_task_whose_class_publishes_it_only_once_waits_all_the_same(goods: Cluster, site: Site, task: str) -> None:
    pause(goods)
    row = name(task, site)
    with pindb.pinning_context():
        task_id = published(site.task("publishes", task, row, module="locking"), row).get(timeout=30)
    wait_for_put_back(site, task_id, 2)
    resume(goods)
    with pindb.pinning_context():
        told = site.app.AsyncResult(task_id).get(timeout=30)
    assert (told["alias"] in REPLICAS, told["found"], told["put_back"], told["retries"]) == (True, True, True, 0)
    assert "could not put" not in site.worker.log_text()


@pytest.mark.heavy
def test_a_task_that_is_put_back_often_stays_what_it_was(goods: Cluster, site: Site) -> None:
    pause(goods)
    result = published(site.task("below", name("often", site)), name("often", site), priority=3)
    wait_for_put_back(site, result.id, 6)
    resume(goods)
    told = result.get(timeout=30)
    assert (told["alias"] in REPLICAS, told["found"], told["retries"]) == (True, True, 0)
    assert "could not put" not in site.worker.log_text()


def test_a_chord_waits_for_a_member_that_was_put_back(goods: Cluster, site: Site) -> None:
    pause(goods)
    members = [site.task("below", name("choir", site)), site.task("above", name("choir", site))]
    result = published(chord(members, site.task("body")), name("choir", site))
    for member in result.parent.results:
        wait_for_put_back(site, member.id)
    resume(goods)
    [parts] = result.get(timeout=30)
    assert [(part["alias"] in REPLICAS, part["found"]) for part in parts] == [(True, True)] * 2


def test_the_next_step_of_a_chain_gets_the_result_of_one_that_was_put_back(goods: Cluster, site: Site) -> None:
    pause(goods)
    result = published(site.task("below", name("chained", site)) | site.task("body"), name("chained", site))  # type: ignore[operator]
    wait_for_put_back(site, result.parent.id)
    resume(goods)
    assert result.get(timeout=30)[0]["found"]


def test_tasks_that_are_called_directly_or_run_eagerly_are_never_put_back(goods: Cluster, site: Site) -> None:
    pause(goods)
    result = published(site.task("calls_another", name("direct", site)), name("direct", site))
    assert [told["alias"] for told in result.get(timeout=30)] == ["goods"] * 3
    assert site.put_back(result.id) == 0


def test_nobody_stores_a_result_that_the_caller_did_not_want(goods: Cluster, site: Site, tmp_path: Path) -> None:
    pause(goods)
    file = tmp_path / "told"
    result = published(
        site.task("writes_down", name("unwanted", site), str(file)), name("unwanted", site), ignore_result=True
    )
    wait_for_put_back(site, result.id)
    resume(goods)
    wait_until(lambda: file.exists() and file.read_text(), 30, "the task has run")
    wait_until(lambda: f"[{result.id}] succeeded" in site.worker.log_text(), 30, "and has ended")
    assert json.loads(file.read_text())["found"]
    assert site.app.backend.get_task_meta(result.id)["status"] == "PENDING"


def name(text: str, site: Site) -> str:
    """Return a name of this site's own: names are unique in the table."""
    return f"{text} {site.app.conf.task_default_queue}"
