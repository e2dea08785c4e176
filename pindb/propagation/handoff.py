"""The pins that a unit of work hands on, with the positions that go with them.

A position is taken when something is handed on, so after the commit of what was written. It serves until something is
written again. Routers hear of most writes before they happen, and a signal handler may publish in between. So the
connection is watched as soon as its server was asked for a position: each later statement makes the position void.
"""

from __future__ import annotations

import functools
import math
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import Final

from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections

from pindb import interrupts
from pindb.config.database_sets import Config, DbSet, current_config
from pindb.config.rollout import Mode
from pindb.config.settings import MAX_PINNING_SECONDS
from pindb.core import implicit
from pindb.core.implicit import ImplicitUnitOfWork
from pindb.core.pins import NOTHING, Pin, PinnedPosition, PinSet, Position
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation.carriers import pin_everything
from pindb.propagation.failures import log_failure
from pindb.routing.writes.hooks import watch
from pindb.servers.position_cache import position_cache
from pindb.servers.positions import position_of, written_by


def expiry(config: Config, now: float) -> float:
    """Return when a new pin lapses that is handed on at `now`: at a full second, rounded up.

    So messages and cookies that are written in a row hold the same text.
    """
    return math.ceil(now + config.settings.pinning_seconds)


def pins_to_hand_on(config: Config, unit: UnitOfWork, now: float) -> PinSet:
    """Return the pins that `unit` hands on at `now`: new ones with a time of their own, inherited ones as they were."""
    until = expiry(config, now)
    new = unit.newly_pinned
    inherited = NOTHING if unit.inherited is NOTHING else unit.inherited.alive(now)
    if not config.settings.positions:
        if not new:
            return inherited
        parts = (until, new, inherited)
        made_of, pins = unit.last_handoff
        if made_of != parts:
            pins = inherited.join(PinSet(dict.fromkeys(new, until)))
            unit.last_handoff = (parts, pins)
        return pins
    pins = _without_passed(config, inherited).join(PinSet.of(_new_pins(config, unit, new, until, now)))
    return pins.join(reads_to_hand_on(config, unit, now))


def pins_left_by(unit: ImplicitUnitOfWork) -> PinSet:
    """Return the pins of the implicit unit of work that follows `unit`.

    In time mode they lapse `PINDB_PINNING_SECONDS` after its last write. If anything fails, every DB set is pinned.
    """
    now, seconds = time.time(), float(MAX_PINNING_SECONDS)
    try:
        config = current_config()
        seconds = config.settings.pinning_seconds
        if config.settings.positions:
            return pins_to_hand_on(config, unit, now)
        return unit.inherited.join(PinSet(dict.fromkeys(unit.newly_pinned, unit.ends_at))).alive(now)
    except interrupts.types:
        raise
    except Exception:
        log_failure("pindb could not hand on the pins of a thread's last writes: the thread reads masters for a while.")
        return pin_everything(now + seconds)


implicit.pins_left_by = pins_left_by


def reads_to_hand_on(config: Config, unit: UnitOfWork, now: float) -> PinSet:
    """Return how far the reads of `unit` have been, as pins; nothing without `PINDB_MONOTONIC_READS`."""
    if not (config.settings.positions and config.settings.monotonic_reads):
        return NOTHING
    return PinSet.of(_read_pins(config, unit, unit.newly_pinned, expiry(config, now), now))


def _new_pins(
    config: Config, unit: UnitOfWork, new: Iterable[str], until: float, now: float
) -> Iterable[tuple[str, Pin]]:
    # A DB set and its parts share one question. What changes after it has begun makes no answer good.
    changes = {name: unit.activity.last_change(name) for name in new}
    ask = functools.cache(written_by)
    for name, change in changes.items():
        db_set = config.pinnable.get(name)
        # Shadow mode without replicas: nobody could tell when a position was passed.
        hypothetical = db_set is not None and not db_set.replicas and config.rollout.mode is Mode.SHADOW
        position = None if db_set is None or hypothetical else _written(unit, db_set, change, ask)
        yield name, Pin(until) if position is None else _positioned_pin(config, position, now)


def _read_pins(
    config: Config, unit: UnitOfWork, new: Iterable[str], until: float, now: float
) -> Iterable[tuple[str, Pin]]:
    """Produce a pin for each DB set that was read: it waits for the position up to which the reads have been."""
    # A server of the activity is a DB set's master, by the set's name, or a replica.
    for name in {*list(unit.chosen_replicas), *list(unit.activity)}:
        db_set = config.sets.get(name)
        if db_set is None or name in new:  # what the master has written includes all that was read
            continue
        replica = unit.chosen_replicas.get(name)
        if unit.activity.has_connections(name):
            position = _written(unit, db_set, unit.activity.last_change(name), written_by)
        elif replica is not None and unit.activity.has_connections(replica):
            # Behind a balancer, other connections to the alias, and those before this one, may have shown a server that
            # is further ahead: only the master is known to be as far.
            mine_alone = unit.activity.is_over_one_connection(replica, connections[replica])
            ask = partial(position_of, replica) if mine_alone else partial(written_by, name)
            change = unit.activity.last_change(replica)
            position = _position_now(unit, replica, change, ask, [replica] if mine_alone else [])
        else:
            continue
        if position is None:
            yield name, Pin(until)
            continue
        inherited = {pinned.log: pinned.offset for pinned in unit.inherited.positioned.get(name, ())}
        ahead = {log: offset for log, offset in position.items() if offset > inherited.get(log, -1)}
        if ahead:
            yield name, _positioned_pin(config, ahead, now)


def _positioned_pin(config: Config, position: Position, now: float) -> Pin:
    expires_at = now + config.settings.position_seconds
    return Pin(positions=tuple(PinnedPosition(log, offset, expires_at) for log, offset in sorted(position.items())))


def _without_passed(config: Config, inherited: PinSet) -> PinSet:
    """Return `inherited` without the positions that every replica is known to have passed."""
    needed: dict[str, tuple[PinnedPosition, ...]] = {}
    for name, positions in inherited.positioned.items():
        db_set = config.pinnable.get(name)
        left = tuple(
            pinned
            for pinned in positions
            if db_set is None
            or not db_set.replicas
            or not position_cache.every_server_past(db_set.servers, db_set.replicas, pinned)
        )
        if left:
            needed[name] = left
    return PinSet(inherited.timed, needed)


def _written(unit: UnitOfWork, db_set: DbSet, change: object, ask: Callable[[str], Position | None]) -> Position | None:
    return _position_now(unit, db_set.name, change, partial(ask, db_set.servers), set(db_set.masters.values()))


def _position_now(
    unit: UnitOfWork, server: str, change: object, ask: Callable[[], Position | None], aliases: Iterable[str]
) -> Position | None:
    """Return the position of `server`, asked for if something has happened there; None where there is none to tell.

    `change` is the last thing that had happened before anybody is asked.
    """
    good, position = unit.activity.cached_position(server)
    if good:
        return position
    mine = [connections[alias] for alias in aliases if alias in connections.settings]
    if unit.activity.has_open_transaction(server, mine):
        return None
    for connection in mine:
        watch(connection)
    try:
        position = ask()
    except SynchronousOnlyOperation:
        return None
    unit.activity.cache_position(server, change, position)
    return position


NO_NAMES: Final[frozenset[str]] = frozenset()
NO_THREAD: Final = -1


def writes_to_come(config: Config, unit: UnitOfWork) -> frozenset[str]:
    """Return the DB sets that the running call may be about to write to.

    Django asks the router at the beginning of `save()`, then sends `pre_save`, then writes. A message that a receiver
    publishes needs the pin that the statement is about to make. `Order(customer=customer)` asks as well, but has
    returned when the next message is published: so what counts is whether the publisher runs inside a call of Django's
    ORM.

    What another thread has announced counts always: Django runs async receivers in a thread of their own, and the stack
    of the call that waits for them is not visible there.
    """
    # The pin that an earlier write has made will do, unless it carries that write's position.
    done = NO_NAMES if config.settings.positions else unit.pins_made
    together = config.written_together
    waiting = [
        (name, thread)
        for announced, thread in list(unit.announced)
        for name in together.get(announced, (announced,))
        if name not in done
    ]
    if not waiting:
        return NO_NAMES
    here = NO_THREAD if _inside_the_orm(sys._getframe(1)) else threading.get_ident()
    return frozenset(name for name, thread in waiting if thread != here)


SAVING: Final = ("pindb.", "django.db.", "django.dispatch.")
"""Beginnings of the modules between this one and the code that saves a message which is a row."""


def _inside_the_orm(frame: FrameType | None) -> bool:
    while frame is not None and _module(frame).startswith(SAVING):
        frame = frame.f_back
    while frame is not None:
        if _module(frame).startswith("django.db.models."):
            return True
        frame = frame.f_back
    return False


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
