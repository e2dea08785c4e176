"""The switch: what it may say, who asks it, and what holds while it cannot be asked."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import cache
from django.test import override_settings

import pindb
from pindb import PinDbConfigError
from pindb.config import rollout
from pindb.config.database_sets import current_config
from pindb.config.rollout import CACHE_KEY, Mode, Rollout, rollout_of, switch_from
from pindb.core.frames import current_frame
from pindb.routing.routers import PinDbRouter
from tests.servers import wait_until
from tests.shop.models import Order

SETTINGS = Rollout(Mode.ON, 0.5, is_switched=True)


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ("on", Rollout(Mode.ON, 1)), (True, Rollout(Mode.ON, 1)), ("off", Rollout(Mode.OFF, 1)),
        (False, Rollout(Mode.OFF, 1)), ("shadow", Rollout(Mode.SHADOW, 1)), ("25%", Rollout(Mode.ON, 0.25)),
        ("0%", Rollout(Mode.ON, 0)), ("0.5%", Rollout(Mode.ON, 0.005)), (0.25, Rollout(Mode.ON, 0.25)),
        (0, Rollout(Mode.ON, 0)), (None, SETTINGS),
    ],
)  # fmt: skip
def test_a_switch_says_a_mode_or_a_share(answer: object, meaning: Rollout) -> None:
    assert rollout_of(answer, SETTINGS)[:2] == meaning[:2]
    assert rollout_of(answer, SETTINGS).is_switched


@pytest.mark.parametrize("answer", ["", "ON", "101%", "%", "-1%", 1.5, -0.1, float("nan"), b"on", ["on"], object()])
def test_any_other_answer_is_refused(answer: object) -> None:
    with pytest.raises(ValueError, match="none of"):
        rollout_of(answer, SETTINGS)


@pytest.mark.parametrize(
    ("switch", "problem"),
    [
        (3, "PINDB_SWITCH is 3"),
        ("cache:defalt", "Did you mean 'default'"),
        ("shop.flags.missing", "cannot be imported"),
        ("tests.shop.settings.ROUTINGS", "no function"),
    ],
)
def test_a_switch_that_is_none_is_told_with_the_remedy(switch: object, problem: str) -> None:
    with pytest.raises(PinDbConfigError, match=problem):
        switch_from(switch)


class Answers:
    """A switch. `asked()` waits until it has been asked once more."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.count = 0
        self._more = threading.Condition()

    def __call__(self) -> object:
        with self._more:
            self.count += 1
            self._more.notify_all()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def asked(self, times: int = 2) -> None:
        """Wait for so many more questions: the answer to the one before the last is in force then."""
        with self._more:
            target = self.count + times
            assert self._more.wait_for(lambda: self.count >= target, timeout=10)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "SECONDS", 0.01)


def test_the_first_unit_of_work_waits_for_the_first_answer() -> None:
    with override_settings(PINDB_SWITCH=Answers("off")):
        assert current_config().rollout.mode is Mode.OFF


def test_a_switch_that_does_not_answer_keeps_reads_on_the_master(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "FIRST_ANSWER_SECONDS", 0.01)
    let_go = threading.Event()

    def hangs() -> str:
        let_go.wait(10)
        return "on"

    with override_settings(PINDB_SWITCH=hangs):
        try:
            assert current_config().rollout.mode is Mode.OFF
        finally:
            let_go.set()


def test_an_answer_is_in_force_while_the_process_runs() -> None:
    switch = Answers("on")
    with override_settings(PINDB_SWITCH=switch):
        current_config()
        for answer in ("off", "25%", "shadow", "on"):
            switch.answer = answer
            switch.asked()
            assert current_config().rollout == rollout_of(answer, SETTINGS)
        switch.answer = None
        switch.asked()
        assert current_config().rollout == Rollout(Mode.ON, 1.0, is_switched=True)


@pytest.mark.parametrize("first", ["shadow", "off"])
@pytest.mark.parametrize(
    "failure", [RuntimeError("down"), SystemExit(), "nonsense"], ids=["raises", "exits", "nonsense"]
)
def test_a_failing_switch_is_logged_once_and_its_last_answer_holds(
    first: str, failure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    switch = Answers(first)
    with caplog.at_level(logging.INFO, "pindb"), override_settings(PINDB_SWITCH=switch):
        assert current_config().rollout.mode is Mode(first)
        switch.answer = failure
        switch.asked(4)
        assert current_config().rollout.mode is Mode(first)
        switch.answer = "on"
        switch.asked()
        assert current_config().rollout.mode is Mode.ON
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "cannot be asked" in warnings[0]
    assert first in warnings[0]


def test_a_switch_that_never_answered_leaves_it_to_the_settings() -> None:
    with override_settings(PINDB_SWITCH=Answers(RuntimeError("down")), PINDB_REPLICA_SHARE=0.25):
        assert current_config().rollout == Rollout(Mode.ON, 0.25, is_switched=True)


def test_a_cache_is_a_switch() -> None:
    cache.set(CACHE_KEY, "off", timeout=None)
    try:
        with override_settings(PINDB_SWITCH="cache:default"):
            assert current_config().rollout.mode is Mode.OFF
    finally:
        cache.delete(CACHE_KEY)


def test_a_cache_that_has_lost_the_state_has_not_said_a_new_one() -> None:
    cache.set(CACHE_KEY, "off", timeout=None)
    try:
        with override_settings(PINDB_SWITCH="cache:default"):
            assert current_config().rollout.mode is Mode.OFF
            cache.delete(CACHE_KEY)  # as a restart or clear() does
            wait_until(lambda: rollout._followed[0]._failing, 10, "the switch is asked again")
            assert current_config().rollout.mode is Mode.OFF
            cache.set(CACHE_KEY, "settings", timeout=None)
            wait_until(lambda: current_config().rollout.mode is Mode.ON, 10, "the settings decide")
    finally:
        cache.delete(CACHE_KEY)


def test_a_switch_that_asks_a_database_reads_the_master_in_no_unit_of_work_of_others() -> None:
    aliases: list[str] = []
    units = [current_frame().unit]

    def asks() -> str:
        aliases.append(PinDbRouter().db_for_read(Order))
        units.append(current_frame().unit)
        return "on"

    with override_settings(PINDB_SWITCH=asks):
        assert current_config().rollout.mode is Mode.ON
        wait_until(lambda: len(aliases) > 2, 10, "it is asked a few times")
    assert set(aliases) == {"default"}
    assert len({*map(id, units)}) == len(units)


def test_no_thread_reads_replicas_while_another_one_waits_for_the_first_answer() -> None:
    asked, let_go = threading.Event(), threading.Event()

    def slow() -> str:
        asked.set()
        let_go.wait(10)
        return "off"

    with override_settings(PINDB_SWITCH=slow), ThreadPoolExecutor(1) as pool:
        first = pool.submit(current_config)
        assert asked.wait(10)
        assert current_config().rollout.mode is Mode.OFF
        let_go.set()
        first.result()


async def test_no_event_loop_waits_and_its_process_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "FIRST_ANSWER_SECONDS", 60)
    let_go = threading.Event()

    def slow() -> str:
        let_go.wait(10)
        return "on"

    with override_settings(PINDB_SWITCH=slow):
        assert current_config().rollout.mode is Mode.OFF
        let_go.set()
        await asyncio.to_thread(wait_until, lambda: current_config().rollout.mode is Mode.ON, 10, "it follows")


def test_while_no_thread_is_to_be_had_the_settings_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    def no(_self: object) -> None:
        raise RuntimeError("can't start new thread")

    with override_settings(PINDB_SWITCH=Answers("on"), PINDB_REPLICA_SHARE=0.25):
        with monkeypatch.context() as exhausted:
            exhausted.setattr(threading.Thread, "start", no)
            assert current_config().rollout == Rollout(Mode.ON, 0.25, is_switched=True)
        with pindb.pinning_context():
            pindb.get_replica("default")
        wait_until(lambda: current_config().rollout.share == 1, 10, "the switch is followed after all")


def test_nobody_asks_a_switch_of_settings_that_are_gone() -> None:
    switch, later = Answers("off"), Answers("off")
    with override_settings(PINDB_SWITCH=switch):
        current_config()
        switch.asked()
    assert current_config().rollout.mode is Mode.ON
    with override_settings(PINDB_SWITCH=later):
        current_config()
        count = switch.count
        later.asked(5)
        assert switch.count <= count + 1


def test_nobody_asks_while_pindb_is_disabled() -> None:
    switch = Answers("on")
    with override_settings(PINDB_SWITCH=switch, PINDB_ENABLED=False):
        current_config()
        assert switch.count == 0


def test_a_forked_child_asks_itself() -> None:
    switch = Answers("on")
    with override_settings(PINDB_SWITCH=switch):
        assert current_config().rollout.mode is Mode.ON
        pid = os.fork()
        if pid == 0:
            switch.answer = "off"
            os._exit(0 if current_config().rollout.mode is Mode.OFF else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
