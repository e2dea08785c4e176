"""Units of work: what is seen where, and that nothing leaks."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import pindb
from pindb.config.database_sets import current_config
from pindb.core import frames, unit_of_work
from pindb.core.pins import Pin, PinnedPosition, PinSet
from pindb.propagation.messages import Work
from tests.shop.models import Order


def test_a_context_starts_clean_and_restores_what_was_there() -> None:
    pindb.pin("default")
    with pindb.pinning_context():
        assert pindb.get_pinned() == set()
        pindb.pin("audit")
        assert pindb.get_pinned() == {"audit"}
    assert pindb.get_pinned() == {"default"}


def test_a_context_ends_with_an_exception_too() -> None:
    with pytest.raises(ZeroDivisionError), pindb.pinning_context():
        pindb.pin("default")
        raise ZeroDivisionError
    assert pindb.get_pinned() == set()


def test_pins_are_new_unless_said_otherwise() -> None:
    pindb.pin("default")
    pindb.pin("audit", count_as_new=False)
    assert pindb.get_pinned() == {"default", "audit"}
    assert pindb.get_newly_pinned() == {"default"}


def test_the_sets_are_frozen_snapshots() -> None:
    before = pindb.get_pinned()
    new_before = pindb.get_newly_pinned()
    pindb.pin("default")
    assert before == new_before == frozenset()
    assert isinstance(pindb.get_pinned(), frozenset)
    assert isinstance(pindb.get_newly_pinned(), frozenset)


def test_two_threads_that_take_results_at_once_both_leave_their_pins() -> None:
    class Slow(PinSet):
        """The pins that both threads find: joined while the other one is at it, if it can be."""

        def join(self, other: PinSet) -> PinSet:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(timeout=0.5)
            return super().join(other)

    both = threading.Barrier(2)
    unit = unit_of_work.UnitOfWork(Slow({"default": 1.0}))
    with ThreadPoolExecutor(2) as pool:
        for name in ("audit", "goods"):
            pool.submit(unit.absorb, (), PinSet({name: 2.0}))
    assert set(unit.inherited) == {"default", "audit", "goods"}


WAITING = PinSet.of({"default": Pin(positions=(PinnedPosition("pA.1", 5, time.time() + 60),))})


def test_a_pin_that_another_thread_settles_while_an_eager_task_begins_is_one_of_that_task_too() -> None:
    class Settled(dict[str, Any]):
        """What waits: settled by another thread as it is copied."""

        def __iter__(self) -> Iterator[str]:
            raise AssertionError("keys() is asked")

        def keys(self) -> Any:
            unit.resolve_position(current_config().sets["default"], ended=False)
            return super().keys()

    unit = unit_of_work.UnitOfWork(WAITING)
    unit.awaiting_position = Settled(unit.awaiting_position)
    assert unit.child().is_pinned("default")


def test_a_thread_that_unpins_all_fails_no_read_of_another_one() -> None:
    class Unpinned(dict[str, Any]):
        """What waits: another thread unpins it as soon as it has been seen."""

        def get(self, name: str, default: object = None) -> Any:
            marks = super().get(name, default)
            pindb.unpin_all()
            return marks

    with Work(unit_of_work.UnitOfWork(WAITING)) as work:
        work.unit.awaiting_position = Unpinned(work.unit.awaiting_position)
        assert pindb.GreedyPinDbRouter().db_for_read(Order) == "default", "in doubt, the master"
        assert not work.unit.awaiting_position


def test_unpin_all_makes_a_clean_context_in_place() -> None:
    pindb.pin("default")
    pindb.pin("audit", count_as_new=False)
    pindb.unpin_all()
    assert pindb.get_pinned() == pindb.get_newly_pinned() == set()
    pindb.pin("default")
    assert pindb.get_newly_pinned() == {"default"}


def test_unpin_all_inside_overrides_lets_each_of_them_read_the_replica_that_is_chosen_then() -> None:
    router = pindb.GreedyPinDbRouter()
    with pindb.unpinned_replica("default"):
        before = router.db_for_read(Order)
        with pindb.master("audit"):
            pindb.unpin_all()
            assert pindb.get_replica("default") != before, "its turn has come"
        assert router.db_for_read(Order) == pindb.get_replica("default")
    assert router.db_for_read(Order) == pindb.get_replica("default")


def test_a_pin_by_any_alias_of_the_set_is_a_pin_of_the_set() -> None:
    pindb.pin("default-1")
    assert pindb.get_pinned() == {"default"}
    assert pindb.is_pinned("default-2")


def test_an_unmanaged_alias_is_left_alone() -> None:
    pindb.pin("legacy")
    assert not pindb.is_pinned("legacy")
    assert pindb.get_pinned() == set()
    with pindb.master("legacy"), pindb.unpinned_replica("legacy"):
        assert pindb.get_replica("legacy") == "legacy"


def test_a_context_closed_in_another_context_disturbs_nothing_there() -> None:
    def generate() -> Iterator[None]:
        with pindb.pinning_context():
            pindb.pin("default")
            yield

    generator = generate()
    contextvars.copy_context().run(next, generator)
    pindb.pin("audit")
    generator.close()
    assert pindb.get_pinned() == {"audit"}


def test_an_override_left_out_of_order_takes_only_itself_away() -> None:
    router = pindb.GreedyPinDbRouter()

    def generate() -> Iterator[None]:
        with pindb.master("default"):
            yield

    generator = generate()
    next(generator)
    with pindb.master("audit"):
        generator.close()
        assert router.db_for_read(Order) != "default"
        with pindb.unpinned_replica("audit"):
            pass
        assert frames.current_frame().overrides == {"audit": frames.ReadFrom.MASTER}
    assert frames.current_frame().overrides == {}


def test_the_end_of_a_unit_of_work_ends_what_was_left_open_in_it() -> None:
    outer = frames.current_frame()
    forgotten = pindb.master("default")
    with pindb.pinning_context():
        forgotten.__enter__()
    assert frames.current_frame() is outer


def test_a_child_starts_with_its_callers_pins_and_hands_its_own_back() -> None:
    pindb.pin("default")
    pindb.pin("audit", count_as_new=False)
    caller = frames.current_frame().unit
    child = caller.child()
    assert child.is_pinned("default")
    assert child.is_pinned("audit")
    assert child.newly_pinned == {"default"}
    child.pins_made.add("audit")
    assert caller.newly_pinned == {"default"}
    caller.absorb_child(child)
    assert caller.newly_pinned == {"default", "audit"}


def test_threads_that_choose_a_replica_at_once_agree() -> None:
    barrier = threading.Barrier(8)

    def choose() -> str:
        barrier.wait()
        return pindb.get_replica("default")

    for _ in range(20):
        with pindb.pinning_context(), ThreadPoolExecutor(8) as pool:
            copies = [contextvars.copy_context() for _ in range(8)]
            chosen = {future.result() for future in [pool.submit(copy.run, choose) for copy in copies]}
            assert len(chosen) == 1


def test_a_child_requires_the_position_that_its_parent_requires() -> None:
    required = (PinnedPosition("pA.1", 5, 9e9),)
    db_set = current_config().sets["default"]
    parent = unit_of_work.UnitOfWork(PinSet(positioned={"default": required}))
    assert parent.required_position("default") == parent.child().required_position("default") == required
    parent.resolve_position(db_set, ended=True)
    assert not parent.child().is_pinned("default")
    assert parent.child().required_position("default") == required


def test_a_connection_that_shows_what_one_part_requires_has_to_be_asked_for_the_others() -> None:
    class Connection:
        pass

    connection = Connection()
    unit = unit_of_work.UnitOfWork()
    unit.note_checked("default.sessions", connection)
    assert unit.has_checked("default.sessions", connection)
    assert not unit.has_checked("default", connection)
