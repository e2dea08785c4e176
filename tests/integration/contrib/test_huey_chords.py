"""What the members of a chord of Huey have written: it is not kept for ever, and no chord depends on reading it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from huey import RedisExpireHuey
from huey import api as huey_api

import pindb
from pindb.adapters import KEY
from pindb.contrib.huey import install
from tests.servers import Valkey

pytestmark = pytest.mark.skipif(not hasattr(RedisExpireHuey, "_check_chord"), reason="Huey 2 has no chords")


def everything() -> set[str]:
    """Return the names of all DB sets: other tests of this package have fewer."""
    return set(settings.DATABASE_SETS)


@pytest.fixture
def huey(valkey: Valkey) -> Iterator[RedisExpireHuey]:
    """A Huey in Valkey that keeps what is read until it expires."""
    huey = RedisExpireHuey("chords", url=valkey.url(6))
    huey.flush()
    huey.storage.conn.flushdb()
    install(huey)
    yield huey
    huey.storage.conn.close()


@pytest.fixture
def seen(huey: RedisExpireHuey) -> list[Any]:
    """What the callback of a chord that was enqueued here sees: its argument, and what is pinned."""
    seen: list[Any] = []

    @huey.task()
    def member(number: int) -> int:
        return number

    @huey.task()
    def callback(numbers: list[int]) -> None:
        seen.append((numbers, pindb.get_pinned()))

    huey.enqueue(huey_api.chord([member.s(1), member.s(2)], callback.s()))
    return seen


def run(huey: RedisExpireHuey, count: int) -> None:
    for _ in range(count):
        huey.execute(huey.dequeue())


def test_what_a_member_wrote_expires_and_is_deleted_once_it_was_taken(huey: RedisExpireHuey, seen: list[Any]) -> None:
    connection = huey.storage.conn
    run(huey, 1)
    (key,) = connection.keys(f"*:{KEY}")
    assert connection.ttl(key) > 0
    run(huey, 2)
    assert connection.keys(f"*:{KEY}") == []
    assert seen == [([1, 2], set())]


def test_a_callback_runs_although_it_cannot_be_read_what_a_member_wrote(
    huey: RedisExpireHuey, seen: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read = huey.storage.peek_data

    def fail(key: str) -> Any:
        if KEY in key:
            raise ConnectionError
        return read(key)

    monkeypatch.setattr(huey.storage, "peek_data", fail)
    monkeypatch.setattr(huey.storage, "pop_data", fail)
    run(huey, 3)
    assert seen == [([1, 2], everything())]
    assert "could not tell what a member of a chord has written" in caplog.text
