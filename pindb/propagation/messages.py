"""Messages as a carrier: pins go into a message when it is published, and open the unit of work of its task.

An adapter's publish hook puts `outgoing(...)` into the message. Its worker hooks open a `Work` with the text of the
message, and close it on every path. These functions do not raise: an error, or a text that cannot be read, costs reads
on the master. Only exceptions that end the task itself get through (`interrupted_by`).
"""

from __future__ import annotations

import logging
import time
from functools import reduce
from typing import Any, Final

from pindb import interrupts
from pindb.config.database_sets import ALL_SETS, current_config
from pindb.config.rollout import DRAWS
from pindb.config.settings import MAX_PINNING_SECONDS
from pindb.core import codec
from pindb.core.frames import current_frame, frame_var, pop, push_unit
from pindb.core.pins import NOTHING, Origin, PinnedBy, PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation.carriers import UNREADABLE, Carrier, pin_everything
from pindb.propagation.failures import log_failure
from pindb.propagation.handoff import expiry, pins_to_hand_on, writes_to_come
from pindb.propagation.work import EagerWork, MessageWork, Work

logger: Final = logging.getLogger("pindb")

KEY: Final = "pindb"
"""The name of the message header, option or field that holds the pins."""


interrupted_by: Final = interrupts.add
"""Called by an adapter whose queue raises an `Exception` into a task to end it: pindb lets that exception through."""


def outgoing(existing: object = None) -> Any:
    """Return the text that a message published now carries under `KEY`.

    `existing` is the text that the message carries already (a retry, a re-enqueued message); the pins of this unit of
    work are joined with it. With pindb disabled it is returned as it is, and None means: write nothing. If it cannot be
    read, or anything fails here, the reader of the returned text uses masters.
    """
    try:
        config = current_config()
        if not config.settings.enabled:
            return existing
        now = time.time()
        pins, draw = NOTHING, None
        if frame_var.get() is not None:
            unit = current_frame().unit  # an implicit unit of work may have ended
            pins = pins_to_hand_on(config, unit, now)
            to_come = writes_to_come(config, unit)
            if to_come:  # timed pins: a position of now is one from before the write
                pins = pins.join(PinSet(dict.fromkeys(to_come, expiry(config, now))))
            if config.rollout.is_partial:
                draw = unit.draw
        return codec.encode(pins, draw) if existing is None else _joined(existing, pins, draw, now)
    except interrupts.types:
        raise
    except Exception:
        log_failure("pindb could not hand on the pins of this unit of work: the task of the message reads masters.")
        return UNREADABLE


def _joined(existing: object, pins: PinSet, draw: int | None, now: float) -> Any:
    drawn = codec.draw_in(existing)
    try:
        return codec.encode(pins.join(codec.decode(existing, now)), draw if drawn is None else drawn)
    except codec.NewerVersionError:
        # The reader knows that version. It does not know what this unit of work would have to add.
        return codec.encode(pin_everything(now + current_config().settings.pinning_seconds)) if pins else existing
    except codec.WireError as error:
        if existing != UNREADABLE:  # else its writer has logged why
            logger.warning("A message to be published holds pins that cannot be read (%s).", error)
        return UNREADABLE


def open_eager(value: object = None) -> Work:
    """Enter the unit of work of a task that its caller runs in the same process. It has the caller's pins.

    If the task has a message that may have come from elsewhere, its text is `value`, and its pins are added.
    """
    work = EagerWork(current_frame().unit)
    if value is not None:
        work.unit.absorb((), _incoming(value).inherited, FROM_MESSAGE)
    return work.__enter__()


def open_message(value: object, *more: object) -> Work:
    """Enter the unit of work of a message with the text `value` under `KEY`; None where it has no such entry.

    A task that gets several messages at once (a batch) has the joined pins of all: `more` are the texts of the others.
    A task may handle messages of its own: its unit of work goes on where that of such a message is closed.
    """
    unit = _incoming(value)
    if more:
        units = [unit, *map(_incoming, more)]
        unit = UnitOfWork(reduce(PinSet.join, (each.inherited for each in units)), MESSAGE.name)
        unit.draw = max(each.draw for each in units)
    work = MessageWork(unit)
    push_unit(work.unit, work)
    return work


def open_lost(value: object) -> Work:
    """Enter the unit of work of the callbacks of a task whose process was killed.

    It has the pins of the task's message, whose text is `value`, and pins every DB set: nobody knows what the task
    wrote before it was killed.
    """
    unit = _incoming(value)
    unit.absorb((ALL_SETS,), NOTHING, FROM_MESSAGE)
    return MessageWork(unit).__enter__()


def open_repeated() -> Work:
    """Enter the unit of work of a message whose task has succeeded before, so that it does not run again.

    It gets the pins of the stored result, which is taken in it. The next message in this thread closes it.
    """
    discard_leftovers()
    unit = UnitOfWork()
    unit.draw = DRAWS - 1  # its message is not known here: outside each share
    return MessageWork(unit).__enter__()


def discard_leftovers() -> None:
    """Leave the units of work of messages that an interrupt has left open in this thread.

    For hooks that a worker calls before and after each task: between two tasks none is open rightly.
    """
    frame = frame_var.get()
    while frame is not None:
        if isinstance(frame.owner, MessageWork):
            pop(frame.owner)
        frame = frame.parent


MESSAGE: Final = Carrier("message", "task", unknown_sets_pin_all=True)
FROM_MESSAGE: Final = Origin(PinnedBy.CALLER, MESSAGE.name)


def _incoming(value: object) -> UnitOfWork:
    now = time.time()
    seconds: float = MAX_PINNING_SECONDS
    try:
        config = current_config()
        seconds = config.settings.pinning_seconds
        if not config.settings.enabled:
            return UnitOfWork()
        if value is None:
            MESSAGE.warn_once(
                "A task message without pins has come in: its publisher runs without pindb, or an older one. "
                f'PINDB_MISSING_HEADER = "{config.settings.missing_header}" decides what such tasks read'
            )
            pins = pin_everything(now + seconds) if config.settings.missing_header == "master" else NOTHING
            return UnitOfWork(pins, f"{MESSAGE.name} without pins")
        unit = UnitOfWork(MESSAGE.read(value, config, now), MESSAGE.name)
        if config.rollout.is_partial and (draw := codec.draw_in(value)) is not None:
            unit.draw = draw
        return unit
    except Exception:
        log_failure("pindb could not open a message's unit of work: its task reads masters.")
    return UnitOfWork(pin_everything(now + seconds), f"{MESSAGE.name} that cannot be read")
