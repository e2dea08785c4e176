"""Whether a task has to wait: decided as its first read would decide, and never where waiting would not help."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

import pindb
import pindb_celery
import pindb_dramatiq
from pindb import PinDbConfigError
from pindb.adapters import wait_for_replica
from pindb.adapters.wait_for_replica import CaughtUp
from pindb.servers import health
from tests.carriers import NOTHING_PINNED, carrying
from tests.integration.positions.goods import asking, read_from, received, written
from tests.servers import PostgresCluster, wait_until

REPLICAS = ("goods-1", "goods-2")


@pytest.fixture
def stale(goods: PostgresCluster, request: pytest.FixtureRequest) -> Iterator[Any]:
    """What a message carries after a write that no replica has."""
    for standby in goods.standbys:
        standby.pause_replay()
    return written(request.node.name)  # type: ignore[no-any-return]


def wait_for_the_other(goods: PostgresCluster) -> None:
    [(position,)] = goods.master.execute("SELECT pg_current_wal_lsn()::text")
    wait_until(lambda: goods.standbys[1].has_replayed(position), 20, goods.standbys[1].position)


def test_not_yet_leaves_the_decision_open(goods: PostgresCluster, stale: Any) -> None:
    with received(stale):
        with asking() as asked:
            assert CaughtUp("goods").requeue_needed(None)
        assert sorted(asked) == list(REPLICAS)
        for standby in goods.standbys:
            standby.resume_replay()
        goods.wait_until_replayed()
        assert CaughtUp("goods").requeue_needed(None) is None
        assert read_from("x")[0] in REPLICAS


def test_the_first_read_after_it_asks_nothing_more(goods: PostgresCluster) -> None:
    message = written("asked once")
    goods.wait_until_replayed()
    with received(message), asking() as asked:
        assert CaughtUp("goods").requeue_needed(None) is None
        replica, found = read_from("asked once")
    assert found
    assert asked == [replica]


def test_another_replica_is_taken_only_as_long_as_none_was_chosen(goods: PostgresCluster) -> None:
    goods.standbys[0].pause_replay()
    message = written("chosen")
    wait_for_the_other(goods)
    for _ in range(4):
        with received(message):
            mine = pindb.get_replica("goods")
            assert bool(CaughtUp("goods").requeue_needed(None)) is (mine == "goods-1")
            assert pindb.get_replica("goods") == mine


def test_a_replica_that_cannot_be_read_is_not_taken(goods: PostgresCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    goods.standbys[0].pause_replay()
    message = written("out of order")
    wait_for_the_other(goods)
    monkeypatch.setattr(health, "can_be_read", lambda alias, *_: alias == "goods-1")
    with received(message):
        assert CaughtUp("goods").requeue_needed(None)


@pytest.mark.parametrize(
    "surroundings",
    [
        lambda: override_settings(PINDB_CONSISTENCY="time"),
        lambda: override_settings(PINDB_ENABLED=False),
        lambda: pindb.master("goods"),
        lambda: pindb.unpinned_replica("goods"),
        lambda: transaction.atomic("goods"),
        lambda: pindb.pinned("goods"),
    ],
    ids=["time mode", "disabled", "master()", "unpinned_replica()", "a transaction", "a new pin"],
)
def test_nobody_waits_where_the_pin_does_not_decide(stale: Any, surroundings: Callable[[], Any]) -> None:
    with received(stale), surroundings():
        assert CaughtUp("goods").requeue_needed(None) is None


def test_a_transaction_whose_reads_follow_the_pins_does_not_decide(stale: Any) -> None:
    with override_settings(PINDB_READS_IN_ATOMIC="replica"), received(stale), transaction.atomic("goods"):
        assert CaughtUp("goods").requeue_needed(None)


@pytest.mark.usefixtures("goods")
def test_nobody_waits_who_carries_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with received(NOTHING_PINNED):
        assert CaughtUp("goods").requeue_needed(None) is None
    assert caplog.records == []


def test_nobody_waits_where_there_are_no_replicas(stale: Any, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(DATABASE_SETS={"goods": []}), received(stale):
        assert CaughtUp("goods").requeue_needed(None) is None
    assert caplog.records == []


@pytest.mark.usefixtures("goods")
def test_nobody_waits_for_a_timed_pin() -> None:
    with received(carrying(goods=15)):
        assert CaughtUp("goods").requeue_needed(None) is None
        assert read_from("x")[0] == "goods"


def test_nobody_waits_for_a_position_from_before_a_failover(stale: Any) -> None:
    before, colon, after = stale.partition(":")
    with received(f"{before[:-1]}{'1' if before[-1] != '1' else '2'}{colon}{after}"):
        assert CaughtUp("goods").requeue_needed(None) is None
        assert read_from("x")[0] == "goods"


def test_nobody_waits_for_replicas_that_are_down(stale: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "can_be_read", lambda *_: False)
    with received(stale), asking() as asked:
        assert CaughtUp("goods").requeue_needed(None) is None
        assert read_from("x")[0] == "goods"
    assert asked == []


def test_replicas_that_lag_too_much_to_be_read_are_waited_for(stale: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "can_be_read", lambda *_: False)
    monkeypatch.setattr(health, "lag_of", lambda _: 3.0)
    with received(stale):
        requeue = CaughtUp("goods").requeue_needed(None)
    assert requeue is not None
    assert 3 <= requeue.seconds <= 3.6


def test_the_wait_is_measured_from_the_first_start(stale: Any) -> None:
    now = time.time()
    with received(stale):
        first = CaughtUp("goods", timeout=30).requeue_needed(None)
        assert first is not None
        assert first.since == pytest.approx(now, abs=5)
        again = CaughtUp("goods", timeout=30).requeue_needed(now - 25)
        assert again is not None
        assert again.since == pytest.approx(now - 25, abs=0.01)
        assert again.seconds <= 5
        assert CaughtUp("goods", timeout=30).requeue_needed(now - 31) is None


@pytest.mark.parametrize("since", ["x", math.nan, math.inf, -1, True, [1], {}], ids=repr)
def test_a_first_start_that_cannot_be_is_now(stale: Any, since: object) -> None:
    with received(stale):
        requeue = CaughtUp("goods", timeout=1).requeue_needed(since)
    assert requeue is not None
    assert requeue.since == pytest.approx(time.time(), abs=5)


def test_delays_grow_with_the_wait_and_end_with_it(stale: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def delay(waited: float, timeout: float = 3600) -> float:
        with received(stale):
            requeue = CaughtUp("goods", timeout=timeout).requeue_needed(time.time() - waited)
        assert requeue is not None
        return requeue.seconds

    monkeypatch.setattr(health, "lag_of", lambda _: None)
    assert 0.1 <= delay(0.01) <= 0.12
    assert 1 <= delay(2) <= 1.3
    assert 5 <= delay(600) <= 6
    assert delay(600, timeout=601) <= 1
    monkeypatch.setattr(health, "lag_of", lambda _: 2.0)
    assert 1.8 <= delay(0.01) <= 2.4


def test_what_fails_lets_the_task_run(
    stale: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(wait_for_replica, "decide", broken)
    with received(stale):
        assert CaughtUp("goods").requeue_needed(None) is None
    assert "runs now" in caplog.text


async def test_in_an_event_loop_nobody_waits(stale: Any, caplog: pytest.LogCaptureFixture) -> None:
    with received(stale):
        assert CaughtUp("goods").requeue_needed(None) is None
    assert caplog.records == []


@pytest.mark.parametrize("decorator", [pindb_celery.caught_up, pindb_dramatiq.caught_up])
class TestArguments:
    @pytest.mark.parametrize(
        "timeout", [0, -1, "30", None, True, math.nan, math.inf, datetime.timedelta(seconds=30)], ids=repr
    )
    def test_a_timeout_is_a_number_of_seconds(self, decorator: Any, timeout: object) -> None:
        with pytest.raises(PinDbConfigError, match=r'Write caught_up\("default", timeout=30\)'):
            decorator("default", timeout=timeout)

    def test_a_misspelt_alias_is_named_with_its_nearest(self, decorator: Any) -> None:
        with pytest.raises(PinDbConfigError, match="Did you mean 'default'"):
            decorator("defualt")

    def test_without_an_alias_it_says_what_to_write(self, decorator: Any) -> None:
        with pytest.raises(PinDbConfigError, match=r'Write caught_up\("default"\)'):
            decorator()

    def test_without_parentheses_it_says_what_to_write(self, decorator: Any) -> None:
        with pytest.raises(PinDbConfigError, match=r'Write caught_up\("default"\)'):

            @decorator
            def task() -> None: ...

    def test_outside_of_a_worker_the_function_just_runs(self, decorator: Any) -> None:
        @decorator("default", timeout=5)
        def task(number: int) -> int:
            return number

        assert task(3) == 3
        assert repr(decorator("default")) == "caught_up('default')"
