"""Which reads may go to replicas at all: `PINDB_MODE`, `PINDB_REPLICA_SHARE`, and `PINDB_SWITCH` that overrides both.

A daemon thread asks the switch every few seconds, so no request waits for it. If the switch fails, its last answer
holds, or what the settings say.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import close_old_connections
from django.utils.module_loading import import_string

from pindb.exceptions import PinDbConfigError, did_you_mean, first_line

logger: Final = logging.getLogger("pindb")

SECONDS: Final = 4.8
"""How often the switch is asked: its answer is to be in force in every process within 5 seconds."""

FIRST_ANSWER_SECONDS: Final = 0.25
"""How long the first unit of work of a process waits for the switch."""

CACHE_PREFIX: Final = "cache:"
CACHE_KEY: Final = "pindb.switch"
"""The key in the cache that `PINDB_SWITCH = "cache:ALIAS"` names. `manage.py pindb_switch` sets it, for ever."""


class Mode(Enum):
    """What `PINDB_MODE` and the switch say."""

    ON = "on"
    SHADOW = "shadow"
    """Reads use the masters, and what would have happened is counted."""
    OFF = "off"
    """Reads use the masters."""


DRAWS: Final = 10_000
"""A causal chain draws a number below this. It is inside the share if the number is below so much of it."""


class Rollout(NamedTuple):
    """The mode, and which share of the causal chains may read replicas: 0 to 1."""

    mode: Mode = Mode.ON
    share: float = 1.0
    is_switched: bool = False
    """Whether a switch can change it while the process runs."""

    def __str__(self) -> str:
        return self.mode.value if self.mode is not Mode.ON or self.share == 1 else f"on, {self.share:.4g} of all"

    @property
    def is_partial(self) -> bool:
        """Whether the draws of causal chains matter, so that messages carry them."""
        return self.is_switched or self.share < 1

    def includes(self, draw: int) -> bool:
        """Return whether the causal chain that has drawn this number may read replicas."""
        return draw < self.share * DRAWS


UNANSWERED: Final = Rollout(Mode.OFF, is_switched=True)
"""Before the first answer of a switch: in doubt, the master."""


def rollout_of(value: object, otherwise: Rollout) -> Rollout:
    """Return what the answer `value` of a switch means. None: what the settings say, which is `otherwise`.

    "on", "off", "shadow"; True and False for the first two; a share as "25%" or 0.25. Raises `ValueError` for others.
    """
    if value is None:
        return otherwise
    if isinstance(value, bool):
        return Rollout(Mode.ON if value else Mode.OFF, 1.0, is_switched=True)
    if isinstance(value, int | float) and 0 <= value <= 1:
        return Rollout(Mode.ON, float(value), is_switched=True)
    if isinstance(value, str):
        if value in {mode.value for mode in Mode}:
            return Rollout(Mode(value), 1.0, is_switched=True)
        percent = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%", value)
        if percent is not None and float(percent[1]) <= 100:
            return Rollout(Mode.ON, float(percent[1]) / 100, is_switched=True)
    raise ValueError(f"{value!r} is none of 'on', 'off', 'shadow', a share as '25%' or 0.25, and None")


def switch_from(value: object) -> Callable[[], object]:
    """Return the function that asks the switch `value`; raises `PinDbConfigError` for what is no switch."""
    if callable(value):
        return value
    if not isinstance(value, str):
        raise PinDbConfigError(f"PINDB_SWITCH is {value!r}. {SWITCHES}")
    if value.startswith(CACHE_PREFIX):
        alias = value.removeprefix(CACHE_PREFIX)
        if alias not in caches.settings:
            known = did_you_mean(alias, caches.settings)
            raise PinDbConfigError(f"PINDB_SWITCH is {value!r}, but CACHES has no {alias!r}. {known}")
        return lambda: caches[alias].get(CACHE_KEY)
    try:
        switch = import_string(value)
    except ImportError as error:
        raise PinDbConfigError(f"PINDB_SWITCH is {value!r}, which cannot be imported ({error}). {SWITCHES}") from error
    if not callable(switch):
        raise PinDbConfigError(f"PINDB_SWITCH is {value!r}, which is no function. {SWITCHES}")
    return switch  # type: ignore[no-any-return]


SWITCHES: Final = 'Write "cache:default", or a function or its path, e.g. "shop.flags.replicas".'


def seen_by_one_process(alias: str) -> bool:
    """Return whether each process has a cache `alias` of its own, or none."""
    return isinstance(caches[alias], DummyCache | LocMemCache)


class Follower:
    """Asks a switch in a daemon thread, and calls `on_change` when its answer has changed."""

    def __init__(self, switch: object, settings: Rollout, on_change: Callable[[], None]) -> None:
        self.switch: Final = switch
        self.settings: Final = settings
        self.rollout = UNANSWERED
        self._ask: Callable[[], object] | None = None
        self._on_change: Final = on_change
        self._answered: Final = threading.Event()
        self._stopped: Final = threading.Event()
        self._failing = False
        threading.Thread(target=self._run, name="pindb-switch", daemon=True).start()

    def wait_for_first_answer(self) -> None:
        """Wait for a short time, so that not even the first reads of a process need the master. No event loop waits."""
        if asyncio._get_running_loop() is None:
            self._answered.wait(FIRST_ANSWER_SECONDS)

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._follow()
            self._answered.set()
            self._stopped.wait(SECONDS)

    def _follow(self) -> None:
        try:
            self._ask = self._ask or switch_from(self.switch)
            rollout = rollout_of(self._ask(), self.settings)
        except Exception as error:
            rollout = self.settings if self.rollout is UNANSWERED else self.rollout
            if not self._failing:
                logger.warning("PINDB_SWITCH cannot be asked (%s). What holds on: %s.", first_line(error), rollout)
            self._failing = True
        else:
            if self._failing:
                logger.info("PINDB_SWITCH can be asked again.")
            self._failing = False
        finally:
            close_old_connections()  # a switch may ask a database
        if rollout != self.rollout and not self._stopped.is_set():
            logger.info("PINDB_SWITCH: %s, after %s.", rollout, self.rollout)
            self.rollout = rollout
            self._on_change()


_followed: Final[list[Follower]] = []
_following: Final = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_following._at_fork_reinit)  # type: ignore[attr-defined]


def follow(switch: object, settings: Rollout, on_change: Callable[[], None]) -> None:
    """Follow `switch` from here on, and no other one; None: none."""
    with _following:
        if _followed and _followed[0].switch is switch and _followed[0].settings == settings:
            return
        forget_switch()
        if switch is None:
            return
        follower = Follower(switch, settings, on_change)
        _followed.append(follower)
    follower.wait_for_first_answer()


def rollout_in_force(settings: Rollout) -> Rollout:
    """Return what the switch says, or what the settings say, if no switch is followed."""
    for follower in _followed:
        return follower.rollout
    return settings


def forget_switch() -> bool:
    """Follow no switch any more; return whether one was followed. A forked child has no thread that does."""
    followed = _followed[:]
    _followed.clear()
    for each in followed:
        each.stop()
    return bool(followed)
