"""Which reads may go to replicas at all: `PINDB_MODE`, `PINDB_REPLICA_SHARE`, and `PINDB_SWITCH` that overrides both.

A daemon thread asks the switch every few seconds, so no request waits for it. If the switch fails, its last answer
holds, or what the settings say.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context
from enum import Enum
from typing import Final, NamedTuple

from django.core.cache import InvalidCacheBackendError, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import close_old_connections
from django.utils.module_loading import import_string

from pindb.event_loop import loop_is_running
from pindb.exceptions import PinDbConfigError, did_you_mean, first_line

logger: Final = logging.getLogger("pindb")

SECONDS: Final = 4.8
"""How often the switch is asked: its answer is to be in force in every process within 5 seconds."""

FIRST_ANSWER_SECONDS: Final = 0.25
"""How long the first unit of work of a process waits for the switch."""
BEFORE_FORK_SECONDS: Final = 2.0

CACHE_PREFIX: Final = "cache:"
CACHE_KEY: Final = "pindb.switch"
"""The key in the cache that `PINDB_SWITCH = "cache:ALIAS"` names. `manage.py pindb_switch` sets it, for ever."""
SETTINGS: Final = "settings"
"""The state that leaves it to the settings."""
NEVER_SET: Final = object()
"""The answer of a cache that knows no state: it was never told one, has lost it, or cannot be reached."""


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
    """Return what the answer `value` of a switch means: `otherwise`, where the settings decide.

    "on", "off", "shadow"; True and False for the first two; a share as "25%" or 0.25. Raises `ValueError` for others.
    """
    if value is None or value is NEVER_SET or (isinstance(value, str) and value == SETTINGS):
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
        raise PinDbConfigError(f"PINDB_SWITCH is {value!r}.", SWITCHES)
    if value.startswith(CACHE_PREFIX):
        alias = value.removeprefix(CACHE_PREFIX)
        if alias not in caches.settings:
            known = did_you_mean(alias, caches.settings)
            raise PinDbConfigError(f"PINDB_SWITCH is {value!r}, but CACHES has no {alias!r}.", known)
        return lambda: caches[alias].get(CACHE_KEY) or NEVER_SET
    try:
        switch = import_string(value)
    except ImportError as error:
        raise PinDbConfigError(f"PINDB_SWITCH is {value!r}, which cannot be imported ({error}).", SWITCHES) from error
    if not callable(switch):
        raise PinDbConfigError(f"PINDB_SWITCH is {value!r}, which is no function.", SWITCHES)
    return switch  # type: ignore[no-any-return]


SWITCHES: Final = 'Write "cache:default", or a function or its path, e.g. "shop.flags.replicas".'


def seen_by_one_process(alias: str) -> bool:
    """Return whether each process has a cache `alias` of its own, or none."""
    return isinstance(caches[alias], DummyCache | LocMemCache)


def unusable_backend(setting: str, alias: str) -> str:
    """Return why the backend of the cache `alias`, which `setting` names, cannot be used; "" if it can."""
    try:
        caches[alias]
    except InvalidCacheBackendError as error:
        backend = caches.settings[alias].get("BACKEND")
        return f"{setting} names the cache {alias!r}, whose BACKEND {backend!r} cannot be used: {first_line(error)}."
    return ""


BACKENDS: Final = 'Write the path of a cache backend, e.g. "django.core.cache.backends.redis.RedisCache".'


asked_within: Callable[[], AbstractContextManager[object]] = nullcontext
"""What a switch is asked in. `pindb.core.frames` has it read masters: a replica that stands still does not say so."""


class Follower:
    """Asks a switch in a daemon thread while it is followed, and calls `on_change` when its answer has changed."""

    def __init__(self, switch: object, settings: Rollout, on_change: Callable[[], None]) -> None:
        self.switch: Final = switch
        self.settings: Final = settings
        self.rollout = UNANSWERED
        self._ask: Callable[[], object] | None = None
        self.pid = os.getpid()
        """The process in which a thread asks; 0 if none could be had."""
        self._on_change: Final = on_change
        self._asked = threading.Event()
        self._has_answered = False
        self._failing = False

    def start(self) -> None:
        """Begin to ask; what held holds on if no thread can be had."""
        self.pid = os.getpid()
        asked = self._asked = threading.Event()  # that of a parent process may be locked
        # With context variables of its own: a thread may inherit those of a request, and so its unit of work.
        thread = threading.Thread(target=Context().run, args=(self._run, asked), name="pindb-switch", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self.pid = 0  # the next decision tries again
            self._fail(error)
            asked.set()

    def wait_for_first_answer(self) -> None:
        """Wait for a short time, so that not even the first reads of a process need the master."""
        self.wait(FIRST_ANSWER_SECONDS)

    def wait(self, seconds: float) -> None:
        """Wait until the switch was asked once, or for so long. No event loop waits."""
        if not loop_is_running():
            self._asked.wait(seconds)

    def give_up(self) -> None:
        """Let nobody wait any more."""
        self._asked.set()

    def _run(self, asked: threading.Event) -> None:
        while self in _followed and self._asked is asked:  # two threads may have found that nobody asks
            try:
                rollout = self._answer()
            except BaseException as error:
                self._fail(error)
            else:
                if self._failing:
                    logger.info("PINDB_SWITCH can be asked again.")
                self._failing = False
                self._use(rollout)
            asked.set()
            time.sleep(SECONDS)

    def _answer(self) -> Rollout:
        with asked_within():
            try:
                self._ask = self._ask or switch_from(self.switch)
                answer = self._ask()
            finally:
                close_old_connections()  # a switch may ask a database
        if answer is NEVER_SET and self._has_answered:
            raise LookupError("its cache has lost the state")
        rollout = rollout_of(answer, self.settings)
        self._has_answered = answer is not NEVER_SET
        return rollout

    def _fail(self, error: BaseException) -> None:
        rollout = self.rollout if self._has_answered else self.settings
        if not self._failing:
            logger.warning("PINDB_SWITCH cannot be asked (%s). What holds on: %s.", first_line(error), rollout)
        self._failing = True
        self._use(rollout)

    def _use(self, rollout: Rollout) -> None:
        if rollout != self.rollout and self in _followed:
            logger.info("PINDB_SWITCH: %s, after %s.", rollout, self.rollout)
            self.rollout = rollout
            self._on_change()


_followed: Final[list[Follower]] = []
_following: Final = threading.Lock()


def _wait_before_fork() -> None:
    """Wait while a switch is asked for the first time: a child could never import what a thread imports just now."""
    for follower in _followed[:]:
        follower.wait(BEFORE_FORK_SECONDS)
        follower.give_up()  # the next fork does not wait


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait_before_fork, after_in_child=_following._at_fork_reinit)  # type: ignore[attr-defined]


def follow(switch: object, settings: Rollout, on_change: Callable[[], None]) -> Follower | None:
    """Follow `switch` from here on, and no other one; None: none. Return what follows it, if that has just begun."""
    with _following:
        if _followed and _followed[0].switch is switch and _followed[0].settings == settings:
            return None
        forget_switch()
        if switch is None:
            return None
        follower = Follower(switch, settings, on_change)
        _followed.append(follower)
    follower.start()  # greenlets may take turns here, which must not wait for a lock
    return follower


def follow_in_this_process() -> None:
    """Follow the switch if no thread does: uWSGI forks without Python's hooks, or no thread was to be had."""
    for follower in _followed:
        if follower.pid != os.getpid():
            follower.start()


def rollout_in_force(settings: Rollout) -> Rollout:
    """Return what the switch says, or what the settings say, if no switch is followed."""
    for follower in _followed:
        return follower.rollout
    return settings


def forget_switch() -> bool:
    """Follow no switch any more; return whether one was followed. A forked child has no thread that does."""
    followed = bool(_followed)
    _followed.clear()
    return followed
