"""celery-batches: a batch reads what the callers of all its messages wrote."""

from __future__ import annotations

from typing import Any

import pytest

import pindb
from tests.integration.celery.combinations import parameters
from tests.integration.celery.conftest import Surroundings
from tests.unit.pindb_celery.apps import taken

BOTH = ["audit", "default"]


def batch(paths: Surroundings, task: str, *pins: tuple[str, ...], args: tuple[Any, ...] = ()) -> list[Any]:
    """Publish a message for each tuple of aliases, by a caller that has written these; together they are a batch."""
    results = []
    for aliases in pins:
        with pindb.pinning_context():
            for alias in aliases:
                pindb.pin(alias)
            results.append(paths.app.send_task(f"tests.integration.celery.batches.{task}", args))
    return results


@pytest.mark.parametrize("pins", [(("default",), ("audit",)), (("audit", "default"), ())], ids=["each", "one"])
def test_a_batch_has_the_pins_of_all_its_messages(paths: Surroundings, pins: Any) -> None:
    for result in batch(paths, "where_in_batch", *pins):
        assert taken(result)["pinned"] == BOTH


def test_no_batch_sees_the_pins_of_another_one(paths: Surroundings) -> None:
    for pins in [("default",), (), ("audit",), ()]:
        for result in batch(paths, "where_in_batch", pins, ()):
            assert taken(result)["pinned"] == list(pins)


def test_what_a_batch_publishes_carries_its_pins(paths: Surroundings, key: str) -> None:
    batch(paths, "publishes_in_batch", ("default",), ("audit",), args=(key,))
    (note,) = paths.noted(key)
    assert note["pinned"] == BOTH


@pytest.mark.parametrize("paths", parameters(lambda each: each.carries), indirect=True)
def test_who_takes_the_result_of_a_message_reads_what_its_batch_wrote(paths: Surroundings) -> None:
    first, second = batch(paths, "writes_in_batch", (), ())
    with pindb.pinning_context():
        first.get(timeout=60)
        assert pindb.get_newly_pinned() == {"audit"}
    second.get(timeout=60)
    assert pindb.get_newly_pinned() == {"audit"}
