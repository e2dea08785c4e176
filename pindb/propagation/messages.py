"""Pins in transit: all that an adapter for a task queue needs, and what the web middleware is made of.

An adapter's publish hook puts `outgoing(...)` into the message. Its worker hooks open a `Work` with what the message
holds, and close it on every path. Nothing here raises, but what ends the task itself (`interrupted_by`): what cannot be
read, or fails, costs reads on the master.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from pindb.config.database_sets import ALL_SETS, current_config
from pindb.config.settings import MAX_PINNING_SECONDS
from pindb.core import codec, interrupts
from pindb.core.pins import NOTHING, PinSet
from pindb.core.unit_of_work import UnitOfWork, current_frame, frame_var, pop, push_unit
from pindb.propagation.carriers import UNREADABLE, Carrier, pin_everything
from pindb.propagation.handoff import pins_to_hand_on
from pindb.propagation.work import EagerWork, MessageWork, Work

logger: Final = logging.getLogger("pindb")

KEY: Final = "pindb"
"""The name of the message header, option or field that holds the pins."""


interrupted_by: Final = interrupts.add
"""For an adapter whose queue ends tasks by an `Exception` raised into them: these are not ours to swallow."""


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
        pins = NOTHING if frame is None else pins_to_hand_on(config, frame.unit, now)
        return codec.encode(pins) if existing is None else _joined(existing, pins, now)
    except interrupts.types:
        raise
    except Exception:
        logger.exception("pindb could not hand on this context's pins: who reads the message reads masters.")
        return UNREADABLE


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


MESSAGE: Final = Carrier("message", "task", unknown_sets_pin_all=True)


def _incoming(value: object) -> UnitOfWork:
    now = time.time()
    seconds: float = MAX_PINNING_SECONDS
    try:
        config = current_config()
        seconds = config.settings.pinning_seconds
        if not config.settings.enabled:
            return UnitOfWork()
        if value is None:
            return UnitOfWork(pin_everything(now + seconds) if config.settings.missing_header == "master" else NOTHING)
        return UnitOfWork(MESSAGE.read(value, config, now))
    except Exception:
        logger.exception("pindb could not open a message's unit of work: its task reads masters.")
    return UnitOfWork(pin_everything(now + seconds))
