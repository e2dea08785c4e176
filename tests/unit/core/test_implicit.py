"""A thread that lives long and has no unit of work: its implicit ones end, and their pins lapse."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import close_old_connections, connections, transaction
from django.test import override_settings

import pindb
from pindb import propagation
from pindb.core import implicit
from pindb.core.frames import current_frame
from pindb.propagation import handoff
from tests.carriers import pins_of
from tests.shop.models import Customer, Order

pytestmark = pytest.mark.usefixtures("shop_tables")
router = pindb.GreedyPinDbRouter()
Run = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs functions in one thread that belongs to nobody, as jobs of a scheduler."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda job: pool.submit(job).result()
        pool.submit(connections.close_all).result()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the clock is ahead."""
    ahead, original = [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: original() + ahead[0])
    return ahead


def write() -> None:
    Customer.objects.create(name=str(Customer.objects.using("default").count()))


def read_from() -> str:
    return str(router.db_for_read(Order))


ENDS: dict[str, Callable[[], Any]] = {
    "close_old_connections()": close_old_connections,
    "the connection closed": lambda: connections["default"].close(),  # noqa: PLW0108 - in the thread
    "all connections closed": connections.close_all,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_django_ends_it_and_its_pins_are_inherited(run: Run, end: Callable[[], Any]) -> None:
    run(write)
    first = run(current_frame)
    run(end)
    assert run(current_frame) is not first
    assert run(pindb.get_pinned) == {"default"}
    assert run(pindb.get_newly_pinned) == set()
    assert run(read_from) == "default"


def test_the_pins_of_a_write_lapse_however_often_it_ends_in_between(run: Run, clock: list[float]) -> None:
    run(write)
    for seconds in (5, 10, 14):
        clock[0] = seconds
        run(close_old_connections)
        assert run(read_from) == "default"
        assert set(pins_of(run(propagation.outgoing))) == {"default"}
    clock[0] = 15.1
    run(close_old_connections)
    assert run(read_from) != "default"
    assert run(propagation.outgoing) == propagation.NOTHING_PINNED


def test_it_ends_by_itself_some_time_after_its_last_write(run: Run, clock: list[float]) -> None:
    run(write)
    clock[0] = 14
    run(write)
    clock[0] = 28
    assert run(read_from) == "default", "the second write is 14 s old"
    clock[0] = 29.5
    assert run(read_from) != "default"
    assert run(pindb.get_pinned) == set()


def test_its_last_write_may_be_inside_an_override(run: Run, clock: list[float]) -> None:
    def job() -> str:
        with pindb.unpinned_replica("default"):
            write()
            clock[0] = 14
            write()
        clock[0] = 28
        return read_from()

    assert run(job) == "default", "the second write is 14 s old"


def test_a_transaction_that_lasts_longer_pins_at_its_commit(run: Run, clock: list[float]) -> None:
    def job() -> str:
        with transaction.atomic():
            write()
            clock[0] = 20
            assert read_from() == "default"
        return read_from()

    assert run(job) == "default"
    clock[0] = 34
    assert run(read_from) == "default"
    clock[0] = 36
    assert run(read_from) != "default"


def test_it_does_not_end_inside_a_transaction_that_has_written(run: Run, clock: list[float]) -> None:
    def job() -> str:
        replica = read_from()
        with transaction.atomic():
            write()
            connections[replica].close()
            assert read_from() == "default"
            clock[0] = 20
        return read_from()

    assert run(job) == "default"
    clock[0] = 34
    assert run(read_from) == "default"
    clock[0] = 36
    assert run(read_from) != "default"


class Interrupted(BaseException):
    """As `KeyboardInterrupt` in a shell, or gevent's `Timeout`."""


def test_what_interrupts_the_question_for_its_position_takes_no_pin_away(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> Any:
        raise Interrupted

    def job() -> str:
        write()
        close_old_connections()
        with monkeypatch.context() as patched:
            patched.setattr(implicit, "pins_left_by", interrupted)
            with pytest.raises(Interrupted):
                read_from()
        return read_from()

    assert run(job) == "default"


def test_it_chooses_its_replica_anew(run: Run, clock: list[float]) -> None:
    chosen = set()
    for number in range(8):
        clock[0] = number * 16
        assert run(read_from) == run(read_from)
        chosen.add(run(read_from))
    assert chosen == {"default-1", "default-2"}


def test_a_connection_of_another_replica_ends_nothing(run: Run) -> None:
    replica = run(read_from)
    first = run(current_frame)
    other = {"default-1": "default-2", "default-2": "default-1"}[replica]
    run(lambda: connections[other].close())  # noqa: PLW0108 - in the thread
    assert run(current_frame) is first


def test_a_unit_of_work_that_was_opened_does_not_end(run: Run, clock: list[float]) -> None:
    def job() -> tuple[str, frozenset[str]]:
        with pindb.pinning_context():
            write()
            clock[0] = 1000
            close_old_connections()
            return read_from(), pindb.get_newly_pinned()

    assert run(job) == ("default", {"default"})


def test_an_override_in_it_holds_for_its_extent(run: Run, clock: list[float]) -> None:
    def job() -> list[str]:
        with pindb.master("default"):
            before = read_from()
            clock[0] = 1000
            close_old_connections()
            return [before, read_from()]

    assert run(job) == ["default", "default"]
    assert run(read_from) != "default"


def test_it_does_not_end_inside_pinned(run: Run, clock: list[float]) -> None:
    pinned = pindb.pinned("default")

    def job() -> list[str]:
        with pinned:
            with pindb.pinning_context(), pinned:
                pass
            clock[0] = 1000
            close_old_connections()
            return [read_from(), *pindb.get_pinned()]

    assert run(job) == ["default", "default"]
    assert run(read_from) != "default"


def test_a_write_in_an_ended_one_pins_the_next(run: Run, clock: list[float]) -> None:
    run(read_from)
    clock[0] = 20

    def raw() -> str:
        with connections["default"].cursor() as cursor:
            cursor.execute("UPDATE shop_customer SET name = name")
        return read_from()

    run(write)
    clock[0] = 40
    assert run(raw) == "default"


def test_an_eager_task_in_it_starts_with_its_pins(run: Run) -> None:
    def job() -> tuple[str, str]:
        write()
        with propagation.open_eager():
            inside = read_from()
        return inside, read_from()

    assert run(job) == ("default", "default")


def test_threads_end_their_own(run: Run) -> None:
    first = run(current_frame)
    thread = threading.Thread(target=close_old_connections)
    thread.start()
    thread.join()
    assert run(current_frame) is first


@override_settings(PINDB_PINNING_SECONDS=100)
def test_the_setting_says_how_long_it_lasts(run: Run, clock: list[float]) -> None:
    run(write)
    clock[0] = 99
    assert run(read_from) == "default"
    clock[0] = 101
    assert run(read_from) != "default"


def test_what_fails_as_it_hands_its_pins_on_pins_every_db_set(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing() -> Any:
        raise RuntimeError("for the test")

    def job() -> str:
        read_from()
        close_old_connections()
        monkeypatch.setattr(handoff, "current_config", failing)
        return read_from()

    assert run(job) == "default"
    (record,) = caplog.records
    assert "the thread reads masters for a while" in record.getMessage()
    assert record.exc_info
