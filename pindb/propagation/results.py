"""Pins travel with results: the caller that takes a task's result reads what the task wrote."""

from __future__ import annotations

import time
from typing import Any, Final

from pindb import interrupts
from pindb.config.database_sets import current_config
from pindb.core import codec
from pindb.core.frames import current_frame, frame_var
from pindb.core.pins import NOTHING, Origin, PinnedBy, PinSet
from pindb.propagation.carriers import Carrier, pin_everything
from pindb.propagation.failures import log_failure
from pindb.propagation.handoff import expiry, reads_to_hand_on
from pindb.propagation.work import EagerWork, MessageWork

RESULT: Final = Carrier("result", "taker", unknown_sets_pin_all=True)


def outcome() -> Any:
    """Return the entry that the result of the running task carries under `KEY`: the pins it was given, and its own.

    With `PINDB_MONOTONIC_READS`, how far it has read counts as given.
    It is None outside every task. A worker's main process, for example, stores the failure of a child that was killed.
    Nobody knows what that child wrote, and `take(None)` pins every DB set.
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
        new = PinSet(dict.fromkeys(unit.newly_pinned, expiry(config, now)))
        given = unit.inherited.alive(now).join(reads_to_hand_on(config, unit, now))
        return {"given": codec.encode(given), "new": codec.encode(new)}
    except interrupts.types:
        raise
    except Exception:
        log_failure("pindb could not tell what a task has pinned: the taker of its result reads masters.")
        return None


def take(value: object) -> None:
    """Join the pins that came with a task's result with those of this unit of work. `value` is the task's `outcome()`.

    The task's own pins are new pins of this unit of work from now on, whatever the clocks say: a caller that waits for
    a task sees its writes. The pins that the task was given keep their own time. If `value` cannot be read, every DB
    set is pinned.
    """
    try:
        config = current_config()
        if not config.settings.enabled:
            return
        now = time.time()
        parts = value if isinstance(value, dict) else {}
        given, new = codec.decode(parts.get("given"), now), codec.decode(parts.get("new"), now)
        given, new = RESULT.with_unknown(given.alive(now), config, now), RESULT.with_unknown(new, config, now)
    except codec.WireError:
        given, new = NOTHING, pin_everything(0)
    except interrupts.types:
        raise
    except Exception:
        log_failure("pindb could not take the pins of a result: the taker reads masters.")
        given, new = NOTHING, pin_everything(0)
    if given or new:
        current_frame().unit.absorb(new, given, Origin(PinnedBy.CALLER, "result"))
