"""Outside all units of work: the implicit ones of a thread hand positions on, one to the next."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import close_old_connections, connections, transaction
from django.test import override_settings

import pindb
from tests.shop.models import Customer

from .goods import (
    Cluster,
    asking,
    drop_connections,
    in_thread,
    pause,
    publish,
    read_from,
    resume,
    timed_in,
    wait_until_one_has_replayed,
    write,
)
from .test_taking_fails import failing  # noqa: F401 - a fixture

PINNING_SECONDS = 15


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the clock is ahead."""
    ahead, original = [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: original() + ahead[0])
    return ahead


def test_a_write_is_read_however_long_the_replicas_need_and_no_longer(goods: Cluster, clock: list[float]) -> None:
    pause(goods)

    def jobs() -> list[tuple[str, bool]]:
        write("orla")
        seen = []
        for _ in range(4):
            clock[0] += PINNING_SECONDS + 1
            seen.append(read_from("orla"))
        resume(goods)
        goods.wait_until_replayed()
        close_old_connections()
        return [*seen, read_from("orla")]

    *before, (alias, there) = in_thread(jobs)
    assert before == [("goods", True)] * 4
    assert alias != "goods"
    assert there


def test_the_master_is_asked_once_after_the_writes_and_not_after_reads(goods: Cluster) -> None:
    def jobs() -> None:
        with asking("goods") as asked:
            write("otis")
            write("otis's")
            close_old_connections()
            assert asked == []
            read_from("otis")
            read_from("otis")
            close_old_connections()
            read_from("otis")
            assert asked == ["goods"]

    in_thread(jobs)


@pytest.mark.usefixtures("failing")
def test_without_a_position_the_next_one_is_pinned_for_a_while(goods: Cluster, clock: list[float]) -> None:
    pause(goods)

    def jobs() -> list[tuple[str, bool]]:
        write("owen")
        clock[0] += PINNING_SECONDS + 1
        return [read_from("owen")]

    assert in_thread(jobs) == [("goods", True)]


def test_one_that_ends_inside_a_transaction_leaves_a_timed_pin(goods: Cluster, clock: list[float]) -> None:
    pause(goods)

    def jobs() -> None:
        write("oona")
        with transaction.atomic("goods"):
            clock[0] += PINNING_SECONDS + 1
            assert pindb.is_pinned("goods")
            assert timed_in(publish())
            write("oona's")
        assert read_from("oona's") == ("goods", True)

    in_thread(jobs)


def test_one_does_not_end_inside_a_transaction_that_reads(goods: Cluster, clock: list[float]) -> None:
    pause(goods)

    def jobs() -> tuple[str, bool]:
        write("odin")
        with transaction.atomic("goods"):
            clock[0] += PINNING_SECONDS + 1
            assert read_from("odin") == ("goods", True)
        clock[0] += PINNING_SECONDS + 1
        return read_from("odin")

    assert in_thread(jobs) == ("goods", True)


@pytest.mark.parametrize("server", ["goods", "goods-1"])
def test_with_monotonic_reads_one_does_not_end_inside_a_transaction_either(
    goods: Cluster, clock: list[float], server: str
) -> None:
    goods.standbys[1].pause_replay()
    name = f"olga {server}"
    in_thread(lambda: write(name))
    wait_until_one_has_replayed(goods, goods.standbys[0])
    rows = Customer.objects.filter(name=name)

    def jobs() -> list[bool]:
        seen = []
        for _ in range(8):
            pindb.unpin_all()
            if server == "goods":
                with pindb.master("goods"):
                    seen.append(rows.exists())
            elif read_from(name)[0] == server:
                seen.append(True)
            else:
                continue
            with transaction.atomic(server):
                clock[0] += PINNING_SECONDS + 1
                pindb.is_pinned("goods")
            clock[0] += PINNING_SECONDS + 1
            seen += [rows.exists() for _ in range(2)]
        return seen

    with override_settings(PINDB_MONOTONIC_READS=True):
        seen = in_thread(jobs)
    assert seen
    assert all(seen)


@pytest.mark.parametrize("begun", ["transaction", "stream"])
def test_one_does_not_end_inside_a_transaction_of_the_drivers(goods: Cluster, clock: list[float], begun: str) -> None:
    if connections["goods"].vendor != "postgresql":
        pytest.skip("psycopg tells, other drivers do not")
    pause(goods)
    name = f"omar {begun}"

    def jobs() -> tuple[str, bool]:
        write(name)
        raw: Any = connections["goods"].connection
        with (
            raw.transaction()
            if begun == "transaction"
            else closing(raw.cursor().stream("SELECT 1 UNION SELECT 2")) as rows
        ):
            if begun == "stream":
                next(rows)
            clock[0] += PINNING_SECONDS + 1
            assert pindb.is_pinned("goods")
        clock[0] += PINNING_SECONDS + 1
        return read_from(name)

    assert in_thread(jobs) == ("goods", True)


@pytest.mark.parametrize("closes", [False, True])
def test_one_does_not_end_in_an_event_loop_where_nobody_can_ask(
    goods: Cluster, clock: list[float], closes: bool
) -> None:
    pause(goods)
    name = f"oren {closes}"

    async def main() -> list[str]:
        await sync_to_async(write)(name)
        seen = []
        for _ in range(3):
            if closes:
                await sync_to_async(close_old_connections)()
            clock[0] += PINNING_SECONDS + 1
            seen += [row.name async for row in Customer.objects.filter(name=name).aiterator()]
        await sync_to_async(drop_connections)()
        return seen

    assert in_thread(lambda: asyncio.run(main())) == [name] * 3


def test_a_master_that_is_gone_fails_no_read(goods: Cluster, clock: list[float]) -> None:
    def jobs() -> bool:
        write("olaf")
        connections["goods"].close()
        connections.settings["goods"]["PORT"] = 1
        return pindb.is_pinned("goods")

    assert in_thread(jobs)
