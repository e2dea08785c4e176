"""Mode and share: which units of work may read replicas, and that none of them changes back to a replica."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

import pindb
from pindb import Reason, propagation
from pindb.config.database_sets import current_config, live
from pindb.config.rollout import DRAWS, Mode, Rollout
from pindb.core.frames import current_frame
from tests.shop.models import Order
from tests.unit.routing.test_rules import REPLICAS, greedy


def read() -> str:
    return greedy.db_for_read(Order)


@contextmanager
def rollout(mode: Mode = Mode.ON, share: float = 1.0) -> Iterator[None]:
    """Have a switch say so, while the process runs."""
    before = current_config()
    live.replace(replace(before, rollout=Rollout(mode, share, is_switched=True)))
    try:
        yield
    finally:
        live.replace(before)


def reasons() -> list[Reason]:
    with pindb.explain() as decisions:
        read()
    return [decision.reason for decision in decisions]


def test_off_reads_the_master_and_pins_go_on() -> None:
    with override_settings(PINDB_MODE="off"):
        assert read() == "default"
        assert pindb.get_replica("default") == "default"
        with pindb.unpinned_replica("default"):
            assert read() == "default"
        assert reasons() == [Reason.DISABLED]
        pindb.pin("default")
        assert pindb.get_newly_pinned() == {"default"}
        assert propagation.outgoing() != propagation.NOTHING_PINNED


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_a_unit_of_work_that_has_read_the_master_stays_there_when_the_mode_is_on_again(mode: Mode) -> None:
    with pindb.pinning_context():
        with rollout(mode):
            assert read() == "default"
        assert read() == "default"
        assert pindb.get_replica("default") == "default"
    with pindb.pinning_context():
        assert read() in REPLICAS


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_the_caller_of_an_eager_task_that_has_read_the_master_reads_it_too(mode: Mode) -> None:
    with pindb.pinning_context():
        with propagation.open_eager(), rollout(mode):
            assert read() == "default"
        assert read() == "default"


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_a_unit_of_work_leaves_its_replica_when_the_mode_changes(mode: Mode) -> None:
    assert read() in REPLICAS
    with rollout(mode):
        assert read() == "default"
    assert read() == "default"


def test_off_holds_for_a_unit_of_work_that_was_in_shadow_mode() -> None:
    with rollout(Mode.SHADOW):
        assert reasons() == [Reason.REPLICA]
    with rollout(Mode.OFF):
        assert reasons() == [Reason.DISABLED]


def test_a_unit_of_work_outside_the_share_reads_the_master_though_the_share_grows() -> None:
    current_frame().unit.draw = DRAWS // 2
    with rollout(share=0.5):
        assert read() == "default"
        assert reasons() == [Reason.OUTSIDE_SHARE]
        with pindb.unpinned_replica("default"):
            assert read() == "default"
    assert read() == "default"


def test_a_unit_of_work_inside_the_share_leaves_its_replica_when_the_share_shrinks() -> None:
    current_frame().unit.draw = DRAWS // 2
    with rollout(share=0.51):
        assert read() in REPLICAS
    with rollout(share=0.5):
        assert read() == "default"


def test_so_many_units_of_work_are_inside_as_the_share_says() -> None:
    with override_settings(PINDB_REPLICA_SHARE=0.3):
        inside = 0
        for _ in range(2000):
            with pindb.pinning_context():
                inside += read() in REPLICAS
    assert 480 < inside < 720  # seven standard deviations


def test_a_draw_does_not_depend_on_the_generator_that_others_seed_nor_changes_it() -> None:
    state = random.getstate()
    draws = set()
    for _ in range(10):
        with pindb.pinning_context():
            draws.add(current_frame().unit.draw)
            assert random.getstate() == state
    assert len(draws) > 1


@pytest.mark.parametrize(("share", "on_replica"), [(0.0, False), (1.0, True)])
def test_none_and_all_are_exact(share: float, on_replica: bool) -> None:
    with override_settings(PINDB_REPLICA_SHARE=share):
        for draw in (0, DRAWS - 1):
            with pindb.pinning_context():
                current_frame().unit.draw = draw
                assert (read() in REPLICAS) == on_replica


def run(text: Any, generations: int) -> list[bool]:
    """Return for a task, its task, and so on, whether they read a replica."""
    with propagation.open_message(text):
        here = read() in REPLICAS
        sent = propagation.outgoing()
    return [here, *(run(sent, generations - 1) if generations > 1 else [])]


def test_a_request_and_its_tasks_fall_on_the_same_side() -> None:
    sides = set()
    with override_settings(PINDB_REPLICA_SHARE=0.5):
        for _ in range(30):
            with pindb.pinning_context():
                side = read() in REPLICAS
                sides.add(side)
                assert run(propagation.outgoing(), 3) == [side] * 3
                with propagation.open_eager():
                    assert (read() in REPLICAS) == side
    assert sides == {True, False}


def test_a_retry_and_a_joined_message_keep_the_side_of_the_message() -> None:
    with override_settings(PINDB_REPLICA_SHARE=0.5):
        with pindb.pinning_context():
            current_frame().unit.draw = DRAWS - 1
            sent = propagation.outgoing()
        with pindb.pinning_context():
            current_frame().unit.draw = 0
            pindb.pin("audit")
            assert run(propagation.outgoing(sent), 1) == [False]
        with propagation.open_message(propagation.NOTHING_PINNED, sent):
            assert read() == "default"


def test_what_follows_a_success_delivered_again_reads_the_master_for_its_message_is_not_known() -> None:
    with override_settings(PINDB_REPLICA_SHARE=0.99):
        with propagation.open_repeated():
            sent = propagation.outgoing()
        assert run(sent, 2) == [False, False]


def test_messages_carry_no_draw_where_all_units_of_work_are_inside() -> None:
    assert propagation.outgoing() == propagation.NOTHING_PINNED
    with override_settings(PINDB_REPLICA_SHARE=0.5):
        assert len(propagation.outgoing()) <= len(propagation.NOTHING_PINNED) + 12


def test_shadow_mode_reads_the_master_and_tells_what_would_have_happened() -> None:
    with override_settings(PINDB_MODE="shadow"), pindb.explain() as decisions:
        assert read() == "default"
        with transaction.atomic("default"):
            assert read() == "default"
        assert read() == "default"
        pindb.pin("default")
        assert read() == "default"
        assert pindb.get_replica("default") == "default"
    assert [(each.role, each.reason) for each in decisions] == [
        ("replica", Reason.REPLICA),
        ("master", Reason.OPEN_TRANSACTION),
        ("replica", Reason.REPLICA),
        ("master", Reason.PINNED_BY_HAND),
    ]
    assert all(each.is_shadow and each.alias == "default" for each in decisions)
    assert "replica (shadow)" in str(decisions)


def test_shadow_mode_works_without_any_replica() -> None:
    with (
        override_settings(PINDB_MODE="shadow", DATABASE_SETS={"default": [], "audit": []}),
        pindb.explain() as decisions,
    ):
        assert read() == "default"
        with pindb.unpinned_replica("default"):
            assert read() == "default"
        pindb.pin("default")
        assert read() == "default"
    assert [each.role for each in decisions] == ["replica", "replica", "master"]
