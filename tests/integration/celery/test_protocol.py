"""Celery's first message protocol, which keeps headers elsewhere."""

from __future__ import annotations

from celery import chain, chord

import pindb
from tests.integration.celery.combinations import Combination
from tests.integration.celery.conftest import Start
from tests.unit.pindb_celery.apps import taken


def test_pins_travel_by_protocol_1_as_well(start: Start, key: str) -> None:
    with start(Combination("rabbitmq", "redis", "prefork"), task_protocol=1) as paths:
        assert taken(paths.task("where").delay())["pinned"] == []
        pindb.pin("default")
        assert taken(paths.task("where").delay())["pinned"] == ["default"]
        steps = chain(paths.task("writes", "audit"), paths.task("where"))
        assert taken(steps.apply_async())["pinned"] == ["audit", "default"]
        header = [paths.task("writes", "audit"), paths.task("where")]
        with pindb.pinning_context():
            assert taken(chord(header)(paths.task("where")))["pinned"] == ["audit"]
        paths.task("retries", key).delay()
        assert paths.noted(key)[0]["pinned"] == ["audit", "default"]
        result = paths.task("is_killed").apply_async(link_error=paths.task("errback_old", immutable=False))
        for note in paths.noted(f"errback {result.id}"):
            assert note["pinned"] == ["audit", "default"]
