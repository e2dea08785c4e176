"""Mutants: small changes of the shipped code that each break a guarantee, and the world in which the model notices.

A model that noticed no defect would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

from pindb.adapters import base as adapters
from pindb.core.activity import Activity
from pindb.core.pins import NOTHING, PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation import carriers, handoff, messages, results, work
from pindb.routing import replica_choice, routers, rules
from pindb.routing.writes import hooks
from pindb.servers import position_cache, positions
from pindb.servers.vendors import postgresql
from pindb.web import cookie

Change = tuple[Any, str, Any]
"""Where, which name, and what stands there instead."""


@dataclass(frozen=True)
class Mutant:
    """A defect, the guarantee that it breaks, and the name of a small world in which that shows."""

    name: str
    guarantee: str
    world: str
    changes: tuple[Change, ...]

    @contextmanager
    def applied(self) -> Iterator[None]:
        with ExitStack() as stack:
            for where, name, value in self.changes:
                stack.enter_context(mock.patch.object(where, name, value))
            yield


def _before(original: Callable[..., Any], first: Callable[[Any], None]) -> Callable[..., Any]:
    def changed(self: Any, *args: Any, **kwargs: Any) -> Any:
        first(self)
        return original(self, *args, **kwargs)

    return changed


def _forget_all_parents(unit: Any) -> None:
    unit.pins_made.clear()
    unit.inherited = NOTHING


def _resolve_for_all(unit: Any, db_set: Any, *, ended: bool) -> None:
    if ended:
        unit.inherited = PinSet(unit.inherited.timed)
    RESOLVE(unit, db_set, ended=ended)


def _join_first_wins(mine: PinSet, theirs: PinSet) -> PinSet:
    return PinSet({**theirs.timed, **mine.timed}, {**theirs.positioned, **mine.positioned})


def _join_earlier_time(mine: PinSet, theirs: PinSet) -> PinSet:
    joined = JOIN(mine, theirs)
    both = mine.timed.keys() & theirs.timed.keys()
    return PinSet(
        {**joined.timed, **{name: min(mine.timed[name], theirs.timed[name]) for name in both}}, joined.positioned
    )


def _pin_without_routes(unit: Any, db_set: Any, *, as_new: bool, origin: Any = None) -> None:
    if origin is not None:
        unit.note_origin(db_set.name, origin)
    (unit.pins_made if as_new else unit.held_pins).add(db_set.name)


def _cached_position(activity: Any, server: str) -> Any:
    cached = activity[server].cached
    return (False, None) if cached is None else (True, cached[1])


def _agreed(unit: Any, db_set: Any, replica: str, wanted: Any) -> str:
    return replica


def _join_one_side(mine: PinSet, theirs: PinSet) -> PinSet:
    joined = JOIN(mine, theirs)
    kept = {*mine.timed, *mine.positioned} or {*theirs.timed, *theirs.positioned}
    timed = {name: until for name, until in joined.timed.items() if name in kept}
    return PinSet(timed, {name: found for name, found in joined.positioned.items() if name in kept})


def _has_passed(position: Any, wanted: Any) -> bool:
    return all(position.get(pinned.log, pinned.offset) >= pinned.offset for pinned in wanted)


JOIN: Final = PinSet.join
LOG: Final = postgresql._log
IS_PAST: Final = position_cache._is_past
OPEN_MESSAGE: Final = messages.open_message
ABSORB: Final = UnitOfWork.absorb
RESOLVE: Final = UnitOfWork.resolve_position
ONE_NAME: Final = SimpleNamespace(sha256=lambda value: SimpleNamespace(hexdigest=lambda: "0" * 64))

MUTANTS: Final = (
    Mutant(
        "a pin does not reach the cached routes",
        "G1",
        "one tab, the clock jumps",
        ((UnitOfWork, "pin", _pin_without_routes),),
    ),
    Mutant(
        "a write makes no pin",
        "G2",
        "two tabs that overlap, with log positions",
        ((hooks, "note_statement", lambda *args: None),),
    ),
    Mutant(
        "all cookies have one name, so that an older answer overwrites a later one",
        "G2",
        "two tabs that overlap, with log positions",
        ((cookie, "hashlib", ONE_NAME),),
    ),
    Mutant(
        "the first write wins: a join keeps the earlier time",
        "G2",
        "two tabs write one after the other, the clock jumps",
        ((PinSet, "join", _join_earlier_time),),
    ),
    Mutant(
        "the first write wins: a join keeps the position that was there",
        "G4",
        "a batch of two messages, with log positions",
        ((PinSet, "join", _join_first_wins),),
    ),
    Mutant(
        "the header is dropped",
        "G3",
        "a task after a write, a killed worker, the clock jumps",
        ((adapters, "pins_in", lambda header: adapters.NO_HEADER),),
    ),
    Mutant(
        "the position is taken before the commit",
        "G3",
        "a task published inside a transaction, with log positions",
        ((Activity, "has_open_transaction", lambda *args: False),),
    ),
    Mutant(
        "the position is not asked for again after another write",
        "G3",
        "two writes, each with a task, with log positions",
        ((Activity, "cached_position", _cached_position),),
    ),
    Mutant(
        "a pin that ends ends those of other DB sets too",
        "G3",
        "two DB sets, each with a write before a task, with log positions",
        ((UnitOfWork, "resolve_position", _resolve_for_all),),
    ),
    Mutant(
        "a join keeps the DB sets of one side only",
        "G2",
        "two DB sets, one written to in each tab, the clock jumps",
        ((PinSet, "join", _join_one_side),),
    ),
    Mutant(
        "a pin that has ended in one unit of work has ended for the next one too",
        "G3",
        "a task publishes after it has read a replica that has caught up",
        ((UnitOfWork, "resolve_position", _resolve_for_all),),
    ),
    Mutant(
        "the name of a log does not contain the timeline",
        "G3",
        "a failover, asked by a privileged role",
        ((postgresql, "_log", lambda system, timeline: LOG(system, 1)),),
    ),
    Mutant(
        "a position of an unknown log counts as passed",
        "G3",
        "a failover, asked by a privileged role",
        ((positions, "has_passed", _has_passed),),
    ),
    Mutant(
        "a restarted replica is believed to be as far as before",
        "G3",
        "a replica is killed and comes back older",
        ((position_cache, "_is_past", lambda entry, wanted, floor=False: IS_PAST(entry, wanted)),),
    ),
    Mutant(
        "a fan-in keeps the last parent only",
        "G4",
        "a chord whose caller has written, with log positions",
        ((UnitOfWork, "absorb", _before(ABSORB, _forget_all_parents)),),
    ),
    Mutant(
        "a fan-in loses a member",
        "G4",
        "a batch of two messages, with log positions",
        ((messages, "open_message", lambda value, *more: OPEN_MESSAGE(value)),),
    ),
    Mutant(
        "a unit of work does not keep the replica that has caught up",
        "G5",
        "a task after a write, with log positions",
        ((replica_choice, "_agreed", _agreed),),
    ),
    Mutant(
        "reads are not handed on, although monotonic reads are switched on",
        "G5",
        "one tab reads, with monotonic reads",
        ((handoff, "_read_pins", lambda *args: ()),),
    ),
    Mutant(
        "a unit of work leaks into the next one in its thread",
        "G6",
        "a thread that has run a task puts the message of another one back",
        ((work, "pop", lambda owner: None),),
    ),
    Mutant(
        "a damaged header pins nothing",
        "G7",
        "a damaged header",
        ((carriers, "pin_everything", lambda until: NOTHING),),
    ),
    Mutant(
        "a write goes where reads go",
        "G8",
        "one tab, the clock jumps",
        ((routers, "write_alias", lambda config, alias, strict: rules.read_alias(config, alias)),),
    ),
    Mutant(
        "the pins of a result are not taken",
        "G9",
        "a request takes the result of its task, with log positions",
        ((results, "take", lambda value: None),),
    ),
    Mutant(
        "the clock of an inherited pin starts again",
        "pins end",
        "one tab, the clock jumps",
        ((UnitOfWork, "newly_pinned", property(lambda unit: frozenset(unit.pins_made).union(unit.inherited.timed))),),
    ),
    Mutant(
        "lapsed pins count",
        "pins end",
        "a task after a write, a killed worker, the clock jumps",
        ((PinSet, "alive", lambda pins, now: pins),),
    ),
)
