"""Takes the shipped objects apart into values that can be part of a state, and puts them together again.

Sets and mappings become frozen ones, shared objects become names. Each attribute of a unit of work is there: if pindb
gets a new one, `UNIT` has to say how it is kept, or the model refuses to start.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final
from weakref import WeakSet

from pindb.config.database_sets import current_config
from pindb.core.activity import Activity
from pindb.core.frames import Frame, frame_var
from pindb.core.pins import PinSet
from pindb.core.unit_of_work import NO_HANDOFF, ReplicaUnlessInTransaction, RouteCache, UnitOfWork
from pindb.propagation.work import EagerWork, Work
from pindb.servers.position_cache import position_cache

Frozen = tuple[Any, ...]


def freeze_pins(pins: PinSet) -> Frozen:
    return tuple(sorted(pins.timed.items())), tuple(sorted(pins.positioned.items()))


@lru_cache(10_000)
def thaw_pins(frozen: Frozen) -> PinSet:
    return PinSet(dict(frozen[0]), dict(frozen[1]))


def _freeze_mapping(mapping: Any) -> Frozen:
    return tuple(sorted(mapping.items()))


def _freeze_handoff(handoff: Any) -> Frozen:
    parts, pins = handoff
    if parts is None:
        return ()
    until, new, inherited = parts
    return until, new, freeze_pins(inherited), freeze_pins(pins)


def _thaw_handoff(frozen: Frozen) -> Any:
    if not frozen:
        return NO_HANDOFF
    until, new, inherited, pins = frozen
    return (until, new, thaw_pins(inherited)), thaw_pins(pins)


def _freeze_checked(checked: Any) -> Any:
    return None if checked is None else tuple(sorted((name, frozenset(seen)) for name, seen in checked.items()))


def _thaw_checked(frozen: Any) -> Any:
    return None if frozen is None else {name: WeakSet(seen) for name, seen in frozen}


def _freeze_activity(activity: Activity) -> Frozen:
    return tuple(
        (
            server,
            frozenset(each.connections),
            each.cached and (each.cached[0] is each.change, each.cached[1]),
        )
        for server, each in sorted(activity.items())
    )


def _thaw_activity(frozen: Frozen) -> Activity:
    activity = Activity()
    for server, connections, cached in frozen:
        activity.mark_changed(server)
        activity.connections_to(server).update(connections)
        if cached is not None:
            good, position = cached
            activity.cache_position(server, activity.last_change(server) if good else object(), position)
    return activity


@lru_cache(100)
def _unless_in_transaction(replica: str, master: str) -> ReplicaUnlessInTransaction:
    return ReplicaUnlessInTransaction(replica, master)


def _freeze_routes(aliases: Any) -> Frozen:
    return tuple(
        (alias, route if isinstance(route, str) else (route.replica, route.master))
        for alias, route in sorted(aliases.items())
    )


def thaw_routes(frozen: Frozen) -> dict[str, Any]:
    return {alias: route if isinstance(route, str) else _unless_in_transaction(*route) for alias, route in frozen}


def _freeze_writes(writes: Any) -> Frozen:
    return tuple(sorted(writes.values()))


SET: Final = (frozenset, set)
MAPPING: Final = (_freeze_mapping, dict)
AS_IS: Final = (lambda value: value, lambda value: value)

UNIT: Final[dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]]] = {
    "activity": (_freeze_activity, _thaw_activity),
    "announced": SET,
    "awaiting_position": MAPPING,
    "checked_connections": (_freeze_checked, _thaw_checked),
    "chosen_replicas": MAPPING,
    "counters": AS_IS,
    "draw": AS_IS,
    "failed_replicas": AS_IS,
    "held_by": AS_IS,
    "held_pins": SET,
    "inherited": (freeze_pins, thaw_pins),
    "last_handoff": (_freeze_handoff, _thaw_handoff),
    "open_writes": (_freeze_writes, lambda names: {}),  # the transaction, put together again, holds them
    "origins": MAPPING,
    "passed_position": MAPPING,
    "pins_made": SET,
    "reads": AS_IS,
    "source": (str, str),
    "aliases": (_freeze_routes, thaw_routes),
    "config": (lambda config: config is not None, lambda known: current_config() if known else None),
}
assert {*UNIT} == {*UnitOfWork.__slots__, *RouteCache.__slots__}, "say how the new attribute is kept"
_freezers: Final = tuple((name, freeze) for name, (freeze, _) in UNIT.items())
_thawers: Final = tuple((name, thaw) for name, (_, thaw) in UNIT.items())


def freeze_unit(unit: UnitOfWork) -> Frozen:
    return tuple([freeze(getattr(unit, name)) for name, freeze in _freezers])


def thaw_unit(frozen: Frozen) -> UnitOfWork:
    unit = UnitOfWork()
    for (name, thaw), value in zip(_thawers, frozen, strict=True):
        setattr(unit, name, thaw(value))
    return unit


def freeze_frames() -> Frozen:
    """Return the units of work that the running code is in, the innermost first."""
    frames, frame = [], frame_var.get()
    while frame is not None:
        frames.append((type(frame.owner), freeze_unit(frame.unit)))
        frame = frame.parent
    return tuple(frames)


def thaw_frames(frozen: Frozen) -> None:
    """Run what follows in these units of work. `Work` objects are made anew: `current_work()` returns the innermost."""
    frame = None
    for kind, unit in reversed(frozen):
        thawed = thaw_unit(unit)
        work = kind(frame.unit if kind is EagerWork and frame is not None else thawed)
        work.unit = thawed
        frame = Frame(work.unit, frame, work)
    frame_var.set(frame)


def current_work() -> Work:
    frame = frame_var.get()
    assert frame is not None
    assert isinstance(frame.owner, Work)
    return frame.owner


def current_unit() -> UnitOfWork:
    return current_work().unit


_CACHES: Final = tuple(sorted(name for name in vars(position_cache)))


def freeze_memory() -> Frozen:
    """Return what this process remembers of servers."""
    caches = [getattr(position_cache, name) for name in _CACHES]
    return tuple([frozenset(cache if isinstance(cache, set) else cache.items()) if cache else None for cache in caches])


def thaw_memory(frozen: Frozen) -> None:
    position_cache.forget()
    for name, value in zip(_CACHES, frozen, strict=True):
        if value:
            getattr(position_cache, name).update(value)


NO_MEMORY: Final = (None,) * len(_CACHES)
