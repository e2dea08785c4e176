"""`worker_deduplicate_successful_tasks`: what a run that succeeded had to publish is published again, by no task."""

from __future__ import annotations

from collections.abc import Iterator

import celery
import pytest

import pindb
from tests.integration.celery.combinations import Combination
from tests.integration.celery.conftest import Start, Surroundings
from tests.unit.pindb_celery.apps import taken

pytestmark = pytest.mark.skipif(celery.VERSION < (5, 7), reason="Celery before 5.7 publishes nothing for a duplicate")


@pytest.fixture
def paths(start: Start) -> Iterator[Surroundings]:
    with start(Combination("rabbitmq", "redis", "prefork"), worker_deduplicate_successful_tasks=True) as paths:
        yield paths


def stored(paths: Surroundings, name: str, *args: str, key: str) -> None:
    """Run a task that lingers, and a link and a next step of it that note what is pinned, until only itself is left."""
    task = paths.task(name, *args, link=[paths.task("note", f"link {key}")])
    result = celery.chain(task, paths.task("note", f"next {key}")).apply_async()
    for what in (f"stored {result.parent.id}", f"link {key}", f"next {key}"):
        paths.noted(what)


def test_what_follows_a_success_delivered_again_has_its_pins_and_those_of_no_other(
    paths: Surroundings, key: str
) -> None:
    with pindb.pinning_context():
        pindb.pin("default")
        stored(paths, "writes_and_lingers", "audit", key=f"writer {key}")
    stored(paths, "only_lingers", key=f"reader {key}")
    paths.setup.worker.kill()
    paths.setup.worker.container.restart(options=("--concurrency=1",))
    for place in ("link", "next"):
        first, second = paths.noted(f"{place} writer {key}", count=2)
        assert first["pinned"] == second["pinned"] == ["audit", "default"]
        first, second = paths.noted(f"{place} reader {key}", count=2)
        assert first["pinned"] == second["pinned"] == []
    assert taken(paths.task("where").delay())["pinned"] == []
