"""Redis' backend joins chords itself: their parts stay as Celery writes them, and their pins lie beside them.

The tests return the parts in this process, one by one. So they say in which order the runs of the header tasks end.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery, signals
from celery.app.task import Context
from django.test import override_settings

import pindb
import pindb_celery
from pindb import propagation
from tests.carriers import carrying
from tests.servers import Valkey
from tests.unit.pindb_celery.apps import celery_app
from tests.unit.pindb_celery.test_unit_of_work_in_workers import connected

BOTH = ["audit", "default"]
# Celery's backend calls a method that redis-py has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")
_numbers = itertools.count()


class Header:
    """A chord of `size` header tasks that a caller has sent: what its tasks do, in the order of a test."""

    def __init__(self, app: Celery, size: int) -> None:
        self.app = app
        self.backend: Any = app.backend
        self.group = f"{app.main}-{next(_numbers)}"
        body = app.tasks["where"].si()
        self._requests = [
            Context(id=f"{self.group}-{index}", group=self.group, group_index=index, chord=body)
            for index in range(size)
        ]
        self.backend.set_chord_size(self.group, size)

    def runs(self, index: int, *writes: str) -> list[list[str]]:
        """Let a header task run, perhaps again. Return what is pinned in each body that it publishes."""
        request = self._requests[index]
        bodies: list[list[str]] = []

        def published(headers: Any, **_: Any) -> None:
            with propagation.open_message(headers.get("pindb")):
                bodies.append(sorted(pindb.get_pinned()))

        with propagation.open_message(carrying()), connected(signals.after_task_publish, published):
            for alias in writes:
                pindb.pin(alias)
            self.backend.mark_as_done(request.id, None, request=request)
        return bodies

    def key(self, suffix: str) -> bytes:
        key: bytes = self.backend.get_key_for_group(self.group, suffix)
        return key


@pytest.fixture
def app(valkey: Valkey) -> Iterator[Celery]:
    with celery_app(backend=valkey.url(0)) as made:
        yield made


def test_a_task_that_the_broker_delivers_twice_counts_once_and_the_body_reads_what_both_runs_wrote(app: Celery) -> None:
    header = Header(app, 2)
    assert header.runs(0, "audit") == []
    assert header.runs(0, "default") == []
    assert header.runs(1) == [BOTH]


def test_a_chord_that_ends_leaves_no_pins_in_redis(app: Celery) -> None:
    header = Header(app, 2)
    header.runs(0, "audit")
    assert header.runs(1) == [["audit"]]
    assert not header.backend.client.exists(header.key(".pindb"))


@pytest.mark.parametrize(("expires", "seconds"), [(60, 60), (0, 86400)])
def test_the_pins_of_a_chord_that_never_ends_lapse(valkey: Valkey, expires: int, seconds: int) -> None:
    with celery_app(backend=valkey.url(0), result_expires=expires) as app:
        header = Header(app, 2)
        header.runs(0, "audit")
        assert 0 < header.backend.client.ttl(header.key(".pindb")) <= seconds


def from_worker_without_pindb(header: Header) -> None:
    pindb_celery.uninstall(header.app)
    header.runs(0, "audit")
    pindb_celery.install(header.app)


def from_worker_where_pindb_is_off(header: Header) -> None:
    with override_settings(PINDB_ENABLED=False):
        header.runs(0, "audit")


def while_redis_fails(header: Header) -> None:
    header.backend.client.set(header.key(".pindb"), "no set")
    header.runs(0, "audit")


def beside_pins_that_nobody_can_read(header: Header) -> None:
    header.runs(0, "audit")
    header.backend.client.sadd(header.key(".pindb"), "damaged", "[[], {}]", "{}")


@pytest.mark.parametrize(
    "part",
    [
        from_worker_without_pindb,
        from_worker_where_pindb_is_off,
        while_redis_fails,
        beside_pins_that_nobody_can_read,
    ],
)
def test_the_body_reads_masters_if_a_part_has_no_pins(app: Celery, part: Callable[[Header], None]) -> None:
    header = Header(app, 2)
    part(header)
    assert header.runs(1) == [BOTH]


def test_a_part_of_an_earlier_pindb_holds_its_pins_itself(app: Celery) -> None:
    header = Header(app, 2)
    with propagation.open_message(carrying()):
        pindb.pin("audit")
        part = [propagation.outcome(), f"{header.group}-0", "SUCCESS", None]
    header.backend.client.zadd(header.key(".j"), {header.backend.encode(part): 0})
    assert header.runs(1) == [["audit"]]


def test_a_chord_of_an_app_that_is_not_installed_is_left_alone(app: Celery, valkey: Valkey) -> None:
    with celery_app(installed=False, backend=valkey.url(0)) as other:
        header = Header(other, 2)
        header.runs(0, "audit")
        assert not header.backend.client.exists(header.key(".pindb"))
        assert header.runs(1) == [[]]
