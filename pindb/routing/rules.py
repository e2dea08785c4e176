"""The order of the routing rules, written once: `decide` for reads, `write_alias` for writes.

Routers, `pindb.get_replica()` and `@caught_up` all ask here.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pindb import events
from pindb.config.database_sets import Config, DbSet, MasterOnlyTables, SeparateTables, live
from pindb.config.rollout import Mode, follow_in_this_process
from pindb.core.frames import Frame, ReadFrom, current_frame, frame_var
from pindb.core.implicit import Lease
from pindb.core.pins import PinnedBy
from pindb.core.transactions import ReplicaUnlessInTransaction, connection_cache, in_atomic
from pindb.core.unit_of_work import UnitOfWork
from pindb.exceptions import UnpinnedWriteException
from pindb.routing.decision import Counter, Decision, Reason, count_of, decided, report
from pindb.routing.orm import work_end as _work_end  # noqa: F401 - hooks itself in
from pindb.routing.replica_choice import caught_up_replica, replica_for
from pindb.routing.writes.hooks import watch_alias
from pindb.routing.writes.tracking import origin

if TYPE_CHECKING:
    from django.db.models import Model


def routing_key(config: Config, model: type[Model], alias: str) -> str:
    """Return what to decide about for a query on `model` which the delegates send to `alias`.

    That is the alias itself, but for a table that is treated apart. The router's `db_for_read` does the same in place.
    """
    try:
        keys = config.keys.get(model._meta.db_table)
    except AttributeError:  # no model: a package that asks for itself
        return alias
    return alias if keys is None else keys.get(alias, alias)


def read_alias(config: Config, alias: str) -> str:
    """Return the alias that a read goes to. `alias` is the routing key.

    The decision is kept in the frame's cache, where the router looks first, unless somebody listens.
    """
    if events.observers and (answer := _counted(config, alias)) is not None:
        return answer
    answer, decision = _read(config, alias)
    if events.observers:
        _count(config, alias, decision)
    if live.listeners:
        report(decision if decision.alias == answer else replace(decision, alias=answer))
    return answer


def _counted(config: Config, alias: str) -> str | None:
    """Return the cached answer, and count the read; None where a new decision is needed."""
    frame = frame_var.get()
    cache = None if frame is None else frame.cache
    if cache is None or cache.counters is None or cache.config is not config or live.listeners:
        return None
    counter: Any = cache.counters.get(alias)
    if counter is None or counter.entry is not cache.aliases.get(alias):
        return None
    route: Any = counter.entry
    if type(route) is Lease:
        if time.time() >= route.unit.ends_at:
            return None
        route = route.route
    count, is_inside = counter.outside, False
    if counter.master is not None:
        connection = connection_cache.connections.get(counter)
        is_inside = in_atomic(counter.master, counter) if connection is None else connection.in_atomic_block
        if is_inside:
            count = counter.inside
    if count is None:
        return None
    count.count += 1
    if type(route) is ReplicaUnlessInTransaction:
        route = route.master if is_inside else route.replica
    return route  # type: ignore[no-any-return]


def _count(config: Config, alias: str, decision: Decision) -> None:
    """Count the read that was decided just now, and have the next ones counted that the cache answers."""
    frame = current_frame_for(config)
    count = count_of(frame.unit, decision)
    count.count += 1
    is_inside = decision.reason is Reason.OPEN_TRANSACTION
    entry = frame.cache.aliases.get(alias)
    if entry is None or not (decision.cacheable or is_inside):
        return
    if frame.cache.counters is None:
        frame.cache.counters = {}
    counter = frame.cache.counters.get(alias)
    if counter is None:
        depends = config.settings.master_in_atomic and decision.db_set not in frame.overrides
        counter = Counter(config.by_key[alias].masters[alias] if depends else None)
        frame.cache.counters[alias] = counter
    if counter.entry is not entry:
        counter.inside = counter.outside = None
        counter.entry = entry
    if is_inside:
        counter.inside = count
    else:
        counter.outside = count


def _read(config: Config, alias: str) -> tuple[str, Decision]:
    db_set = config.by_key.get(alias)
    if db_set is None or not config.settings.enabled:
        decision = decide_without_unit(config, alias)
        return decision.alias, decision
    frame = current_frame_for(config)
    unit, override = frame.unit, frame.overrides.get(db_set.name)
    decision = decide(config, unit, db_set, alias, override)
    if decision.reason in ENDS_THE_WAIT and unit.required_position(db_set.name) is not None:
        unit.resolve_position(db_set, ended=decision.reason is Reason.REPLICA)
        if unit.is_pinned_to_end(db_set.name):  # another thread may have found the replica behind at the same time
            return db_set.masters[alias], decision
    route: str | ReplicaUnlessInTransaction = decision.alias
    if decision.role == "replica":
        master = db_set.masters[alias]
        replica = master if decision.is_shadow else db_set.routed[master][decision.alias]
        if not decision.cacheable:
            return replica, decision
        depends = override is None and config.settings.master_in_atomic
        route = ReplicaUnlessInTransaction(replica, master) if depends else replica
    if not decision.cacheable:
        return decision.alias, decision
    # An override holds for its extent, everything else for the whole unit of work.
    cache = unit if override is None else frame.cache
    # A plain key, as look-ups are slower in a dict with a `RowAlias` in it.
    key = str(alias)
    route = cache.aliases.setdefault(key, route)  # a pin that another thread makes at the same time has to stay
    if override is None:
        is_void = unit.is_pinned_to_end(db_set.name)  # another thread may have pinned every DB set meanwhile
    else:
        is_void = override is ReadFrom.REPLICA and db_set.name in unit.failed_replicas  # or have left the replica
    if is_void and route != db_set.masters[alias]:
        # The decision from before must not be cached.
        cache.aliases[key] = route = db_set.masters[alias]
    if not isinstance(route, str):
        route = route.master if in_atomic(route.master, route) else route.replica
    return route, decision


ENDS_THE_WAIT: Final = (Reason.WAITING_FOR_POSITION, Reason.NO_REPLICA_USABLE, Reason.REPLICA)
"""Reasons that decide, for the whole unit of work, whether an inherited log position still pins it."""


def decide(
    config: Config,
    unit: UnitOfWork,
    db_set: DbSet,
    alias: str,
    override: ReadFrom | None = None,
    *,
    may_wait: bool = True,
) -> Decision:
    """Return where `unit` reads `alias`, a routing key of `db_set`, and why. `override` is the innermost one in force.

    `may_wait`: whether to give a replica `PINDB_POSITION_WAIT_SECONDS` to catch up.

    The replica that is chosen becomes that of the unit of work; nothing else changes. Servers may be asked.
    """
    name, master = db_set.name, db_set.masters[alias]
    rollout = config.rollout
    if rollout.is_switched:
        follow_in_this_process()
    if unit.held_by is not None and rollout.mode is not Mode.OFF:
        rollout = unit.held_by
    if not config.settings.enabled:
        return decided(name, master, Reason.DISABLED)
    if rollout.mode is Mode.OFF:
        unit.held_by = rollout
        return decided(name, master, Reason.DISABLED)
    if isinstance(db_set, MasterOnlyTables):
        return decided(db_set.servers, master, Reason.MASTER_ONLY)
    is_shadow = rollout.mode is Mode.SHADOW
    if not db_set.replicas and not is_shadow:
        return decided(name, master, Reason.NO_REPLICAS)
    decision = _on_master(config, unit, name, master, override)
    if decision is None and rollout.includes(unit.draw):
        wait = config.settings.position_wait_seconds if may_wait and not is_shadow else 0.0
        decision = _on_replica(config, unit, db_set, master, override, wait=wait)
    if decision is None:
        unit.held_by = rollout
        return decided(name, master, Reason.OUTSIDE_SHARE)
    if is_shadow:
        unit.held_by = rollout
        return replace(decision, alias=master, is_shadow=True)
    return decision


def _on_master(config: Config, unit: UnitOfWork, name: str, master: str, override: ReadFrom | None) -> Decision | None:
    """Return the first rule that speaks for the master, None if none does."""
    if override is ReadFrom.MASTER:
        return decided(name, master, Reason.MASTER_OVERRIDE)
    if override is None:
        pinned = unit.is_pinned_to_end(name)
        if config.settings.master_in_atomic and in_atomic(master, name):
            # Code that only reads the master needs no replica, which would have to be asked for its health.
            return decided(name, master, Reason.OPEN_TRANSACTION, cacheable=pinned)
        if pinned:
            pin = unit.origin_of(name)
            if pin.where:
                return Decision(name, master, PINNED[pin.by], pin.where)
            return decided(name, master, PINNED[pin.by])
    return decided(name, master, Reason.REPLICA_FAILED) if name in unit.failed_replicas else None


def _on_replica(
    config: Config, unit: UnitOfWork, db_set: DbSet, master: str, override: ReadFrom | None, *, wait: float
) -> Decision:
    """Choose a replica. It must have replayed the position that `unit` requires, unless an override asks for any."""
    name = db_set.name
    reason = Reason.REPLICA if override is None else Reason.REPLICA_OVERRIDE
    positions = unit.required_position(name) if override is None else None
    if not db_set.replicas:  # shadow mode: what would happen if there was one
        return decided(name, master, reason if positions is None else Reason.WAITING_FOR_POSITION)
    if positions is None:
        replica: str | None = replica_for(unit, db_set)
    else:
        replica = caught_up_replica(unit, db_set, positions, wait) if config.settings.positions else None
    if replica is None:
        return decided(name, master, Reason.WAITING_FOR_POSITION)
    if replica not in db_set.replicas:
        return decided(name, master, Reason.NO_REPLICA_USABLE, cacheable=positions is None)
    # One that has been asked is not for other threads: their connections to the same alias may lead to other servers,
    # and are asked themselves.
    return decided(name, replica, reason, cacheable=positions is None)


PINNED: Final = {
    PinnedBy.WRITE: Reason.PINNED_BY_WRITE,
    PinnedBy.HAND: Reason.PINNED_BY_HAND,
    PinnedBy.CALLER: Reason.PINNED_BY_CALLER,
}


def decide_without_unit(config: Config, alias: str) -> Decision:
    """Return where reads of `alias` go in every unit of work: it is unmanaged, or pindb is disabled."""
    db_set = config.by_key.get(alias)
    if db_set is None:
        return decided(None, alias, Reason.UNMANAGED)
    return decided(db_set.servers, db_set.masters[alias], Reason.DISABLED)


def replica_alias(config: Config, alias: str) -> str:
    """Return the replica that this unit of work reads for `alias`, whatever is pinned; the master where it has none."""
    db_set = config.by_key[alias]
    return decide(config, current_frame_for(config).unit, db_set, alias, ReadFrom.REPLICA).alias


def write_alias(config: Config, alias: str, *, strict: bool) -> str:
    """Return the alias that a write goes to. `alias` is the routing key.

    Unless it is inside `master()`, reads use the master from here on: the write is announced, and pins once it has run.
    Raises `UnpinnedWriteException` if `strict` and the DB set is neither pinned nor inside `master()`. Tables that are
    treated apart are never refused: sessions and logs are written by packages, which announce nothing.
    """
    db_set = config.by_key.get(alias)
    if db_set is None:
        return alias
    master = db_set.masters[alias]
    if not config.settings.enabled or isinstance(db_set, MasterOnlyTables):
        return master
    frame = current_frame_for(config)
    watch_alias(master)
    if frame.overrides.get(db_set.name) is ReadFrom.MASTER:
        return master
    if strict and not isinstance(db_set, SeparateTables) and not frame.unit.is_pinned(db_set.name):
        raise UnpinnedWriteException(
            f"A write to {alias!r} was not announced: this unit of work may have read old data from a replica. "
            f'Call pindb.pin("{db_set.name}") before its first read, or write inside '
            f'`with pindb.master("{db_set.name}"):` to leave other reads on the replica.'
        )
    frame.unit.announce(db_set, origin(frame.unit, db_set.name, PinnedBy.WRITE))
    return master


def current_frame_for(config: Config) -> Frame:
    """Return the current frame. Its cache is emptied if the settings have changed since it was filled."""
    frame = current_frame()
    if frame.unit.config is not config:
        frame.unit.rebuild_cache(config)
    if frame.cache.config is not config:
        frame.cache.reset(config)
    return frame
