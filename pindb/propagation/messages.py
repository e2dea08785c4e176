"""Pins in transit: all that an adapter for a task queue needs, and what the web middleware is made of.

An adapter's publish hook puts `outgoing(...)` into the message. Its worker hooks open a `Work` with what the message
holds, and close it on every path. Nothing here raises, but what ends the task itself (`interrupted_by`): what cannot be
read, or fails, costs reads on the master.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

from pindb.config import settings as pindb_settings
from pindb.config.database_sets import ALL_SETS, Config, current_config
from pindb.core import codec, interrupts
from pindb.core.pins import NOTHING, PinSet
from pindb.core.unit_of_work import Frame, UnitOfWork, current_frame, frame_var, pop, push_unit
from pindb.propagation.handoff import pins_to_hand_on

logger: Final = logging.getLogger("pindb")

KEY: Final = "pindb"
"""The name of the message header, option or field that holds the pins."""


interrupted_by: Final = interrupts.add
"""For an adapter whose queue ends tasks by an `Exception` raised into them: these are not ours to swallow."""

NOTHING_PINNED: Final = codec.encode(NOTHING)
"""What `outgoing()` is where there is nothing to hand on."""

UNREADABLE: Final = "unreadable"
"""What no reader can read, so that it reads masters."""


class Work:
    """A unit of work that can be entered and left, and resumed: for each chunk of a streamed body, say."""

    __slots__ = ("_left_in", "unit")

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit: Final = unit
        self._left_in: Frame | None = None

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Go on where this was left the last time, inside the `with` blocks that a generator holds open there."""
        before = frame_var.get()
        frame_var.set(self._left_in or Frame(self.unit, None, self))
        try:
            yield
        finally:
            self._left_in = frame_var.get()
            frame_var.set(before)

    def __enter__(self) -> Self:
        frame = frame_var.get()
        if frame is None or frame.owner is not self:  # so that `with open_message(...)` enters once
            push_unit(self.unit, self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the unit of work; twice is once."""
        pop(self)


class MessageWork(Work):
    """The unit of work of a message that a worker has received."""

    __slots__ = ()


class EagerWork(Work):
    """A unit of work inside its caller's: it starts with the caller's pins and hands its new ones back."""

    __slots__ = ("caller",)

    def __init__(self, caller: UnitOfWork) -> None:
        super().__init__(caller.child())
        self.caller: Final = caller

    def close(self) -> None:
        super().close()
        self.caller.absorb(frozenset(self.unit.newly_pinned), self.unit.inherited)


def outgoing(existing: object = None) -> Any:
    """Return what a message that is published now shall hold under `KEY`: plain text.

    `existing` is what it holds already (a retry, a re-enqueued message), to be joined with the pins of this context; it
    is returned as it is where pindb is disabled (`None` then means: write nothing). Where it cannot be read, or
    anything fails here, what is returned makes its reader use masters.
    """
    try:
        config = current_config()
        if not config.settings.enabled:
            return existing
        now = time.time()
        frame = frame_var.get()
        pins = NOTHING if frame is None else pins_to_hand_on(config, frame.unit, now, _until(config, now))
        return codec.encode(pins) if existing is None else _joined(existing, pins, now)
    except interrupts.types:
        raise
    except Exception:
        logger.exception("pindb could not hand on this context's pins: who reads the message reads masters.")
        return UNREADABLE


def _until(config: Config, now: float) -> float:
    """Return when a new pin lapses that a message hands on at `now`: at a full tenth of a second, rounded up.

    So messages that are published in a row hold the same text, which a worker reads once; where the pins are timed,
    it is written once, too.
    """
    return int((now + config.settings.pinning_seconds) * 10 + 1) / 10


def _joined(existing: object, pins: PinSet, now: float) -> Any:
    try:
        return codec.encode(pins.join(codec.decode(existing, now)))
    except codec.NewerVersionError:
        # Its reader can read it, but not what this context would have to add.
        return codec.encode(pin_everything(now + current_config().settings.pinning_seconds)) if pins else existing
    except codec.WireError as error:
        if existing != UNREADABLE:  # else whoever wrote it has said why
            logger.warning("A message to be published holds pins that cannot be read (%s).", error)
        return UNREADABLE


def outcome() -> Any:
    """Return what the result of the running task shall hold under `KEY`: what it was given, and what it wrote.

    `None` outside every task, in a worker's main process say, which stores the failure of a child that was killed:
    nobody knows what that one wrote, and `take(None)` makes the best of it.
    """
    frame = frame_var.get()
    while frame is not None and frame.own_overrides is not None:
        frame = frame.parent
    if frame is None or not isinstance(frame.owner, MessageWork | EagerWork):
        return None
    try:
        config = current_config()
        if not config.settings.enabled:
            return None
        now = time.time()
        unit = frame.unit
        new = PinSet(dict.fromkeys(frozenset(unit.newly_pinned), _until(config, now)))
        return {"given": codec.encode(unit.inherited.alive(now)), "new": codec.encode(new)}
    except interrupts.types:
        raise
    except Exception:
        logger.exception("pindb could not tell what a task has pinned: who takes its result reads masters.")
        return None


def take(value: object) -> None:
    """Join what a task hands over with its result, `outcome()` there, with the pins of this unit of work.

    What it wrote is this one's own from now on, whatever the clocks say: to wait for a task is to see what it has done.
    What it was given keeps its own time. Where nothing can be read, every DB set is pinned.
    """
    try:
        if not current_config().settings.enabled:
            return
        now = time.time()
        parts = value if isinstance(value, dict) else {}
        given, new = codec.decode(parts.get("given"), now), codec.decode(parts.get("new"), now)
    except codec.WireError:
        given, new = NOTHING, pin_everything(0)
    except interrupts.types:
        raise
    except Exception:
        logger.exception("pindb could not take the pins of a result: what follows reads masters.")
        given, new = NOTHING, pin_everything(0)
    else:
        given = given.alive(now)
    if given or new:
        current_frame().unit.absorb(new, given)


def pin_everything(until: float) -> PinSet:
    """Return the pinned set for when nobody can tell what was written."""
    return PinSet({ALL_SETS: until})


def open_eager(value: object = None) -> Work:
    """Enter the unit of work of a task that its caller runs in its own process: it has the caller's pins.

    And those of its message, `value`, if there is one: it may have come from elsewhere.
    """
    work = EagerWork(current_frame().unit)
    if value is not None:
        work.unit.absorb((), _incoming(value).inherited)
    return work.__enter__()


def open_message(value: object) -> Work:
    """Enter the unit of work of a message that holds `value` under `KEY`, `None` where it holds nothing there.

    Whatever an interrupted `close()` left behind in this thread is discarded first.
    """
    if frame_var.get() is not None:
        _discard_leftovers()
    work = MessageWork(_incoming(value))
    push_unit(work.unit, work)
    return work


def open_lost(value: object) -> Work:
    """Enter the unit of work of what follows a task whose process was killed: its pins, and every DB set.

    `value` is what its message held. What it wrote before it was killed, nobody knows.
    """
    unit = _incoming(value)
    unit.pinned_to_end.add(ALL_SETS)
    unit.newly_pinned.add(ALL_SETS)
    return MessageWork(unit).__enter__()


def open_repeated() -> Work:
    """Enter the unit of work of a message whose task has succeeded before and does not run again.

    It has the pins of the result that is taken in it. Nobody need close it: the next message in this thread does.
    """
    _discard_leftovers()
    return MessageWork(UnitOfWork()).__enter__()


def _discard_leftovers() -> None:
    frame = frame_var.get()
    while frame is not None:
        if isinstance(frame.owner, MessageWork):
            pop(frame.owner)
        frame = frame.parent


def _incoming(value: object) -> UnitOfWork:
    now = time.time()
    seconds: float = pindb_settings.MAX_PINNING_SECONDS
    try:
        config = current_config()
        seconds = config.settings.pinning_seconds
        if not config.settings.enabled:
            return UnitOfWork()
        if value is None:
            return UnitOfWork(pin_everything(now + seconds) if config.settings.missing_header == "master" else NOTHING)
        pins = codec.decode(value, now).alive(now)
        if config.names.issuperset(pins.timed) and config.names.issuperset(pins.positioned):
            return UnitOfWork(pins)
        unknown = set(pins) - config.names
        _warn_once(f"A message pins {sorted(unknown)}, which this process does not know as DB sets")
        return UnitOfWork(pins.join(pin_everything(now + seconds)))
    except codec.NewerVersionError as error:
        _warn_once(f"A message was written by a newer pindb ({error})")
    except codec.WireError as error:
        if value != UNREADABLE:  # else whoever wrote it has said why
            logger.warning("A message's pins cannot be read (%s): its task reads masters.", error)
    except Exception:
        logger.exception("pindb could not open a message's unit of work: its task reads masters.")
    return UnitOfWork(pin_everything(now + seconds))


_warned: Final[set[str]] = set()


def _warn_once(what: str) -> None:
    """Log a warning once in this process: it stays true for every message of a rolling deploy."""
    if what not in _warned and len(_warned) < 100:
        _warned.add(what)
        logger.warning("%s: its task reads masters. Said once per process.", what)
