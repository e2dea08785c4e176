"""Where a query goes: the one place for the order of the rules. Routers ask here, and so does `pindb.get_replica`."""

from __future__ import annotations

from pindb.config.database_sets import Config, DbSet
from pindb.core.pins import PinnedPosition
from pindb.core.transactions import in_atomic, open_transaction
from pindb.core.unit_of_work import Frame, ReadFrom, ReplicaUnlessInTransaction, UnitOfWork, current_frame
from pindb.exceptions import UnpinnedWriteException
from pindb.routing.replica_choice import replica_for
from pindb.routing.write_tracking import note_write
from pindb.servers.positions import has_replayed


def read_alias(config: Config, alias: str) -> str:
    """Return where a read goes that the delegates send to `alias`.

    Unmanaged: itself. Else what applies first of: pindb is disabled, an override, a transaction open on the master, a
    pin (one that came in with a position alone ends if the replica has that); else the replica of this context. What
    can be answered the same way next time is remembered in the frame's `cache`, where the router looks first.
    """
    db_set = config.owners.get(alias)
    if db_set is None:
        return alias
    master = db_set.masters[alias]
    if not config.settings.enabled:
        return master
    frame = current_frame_for(config)
    unit = frame.unit
    override, positions = frame.overrides.get(db_set.name), unit.awaiting_position.get(db_set.name)
    answer: str | ReplicaUnlessInTransaction
    if override is ReadFrom.MASTER or not db_set.replicas:
        answer = master
    elif override is ReadFrom.REPLICA:
        answer = replica_for(unit, db_set)
    elif unit.is_pinned_to_end(db_set.name):
        answer = master
    elif positions is not None and config.settings.reads_in_atomic == "master" and in_atomic(master, master):
        return master  # for the extent of the transaction: nothing is settled by it
    elif positions is not None and not _pin_ends(config, unit, db_set, positions):
        answer = master
    elif config.settings.reads_in_atomic == "replica":
        answer = replica_for(unit, db_set)
    elif db_set.name not in unit.chosen_replicas and in_atomic(master, db_set.name):
        # Code that only reads the master needs no replica chosen, which means asked for its health and connected to.
        return master
    else:
        answer = ReplicaUnlessInTransaction(replica_for(unit, db_set), master)
    # What overrides say is remembered for their extent, the rest for the whole unit of work. setdefault: a pin that
    # another thread of it makes meanwhile must not be overwritten.
    cache = unit if override is None else frame.cache
    answer = cache.aliases.setdefault(alias, answer)
    if isinstance(answer, str):
        return answer
    return answer.master if in_atomic(answer.master, answer) else answer.replica


def write_alias(config: Config, alias: str, *, strict: bool) -> str:
    """Return where a write goes that the delegates send to `alias`; it pins, unless inside `master()`.

    Raises `UnpinnedWriteException` if `strict` and the DB set is neither pinned nor inside `master()`.
    """
    db_set = config.owners.get(alias)
    if db_set is None:
        return alias
    master = db_set.masters[alias]
    if not config.settings.enabled:
        return master
    frame = current_frame_for(config)
    if (transaction := open_transaction(master)) is not None:
        frame.unit.open_writes[master] = transaction
    if frame.overrides.get(db_set.name) is ReadFrom.MASTER:
        return master
    if db_set.name not in frame.unit.newly_pinned:
        if strict and not frame.unit.is_pinned(db_set.name):
            raise UnpinnedWriteException(
                f"A write to {alias!r} that nothing announced: this context may have read old data from a replica. "
                f'Call pindb.pin("{db_set.name}") before its first read, or write inside '
                f'`with pindb.master("{db_set.name}"):` to leave other reads on the replica.'
            )
        # A pin that came in ends when its own time is up; this write has to be handed on with a time of its own.
        frame.unit.pin(db_set, as_new=True)
    note_write(config, frame.unit, db_set, master)
    return master


def _pin_ends(config: Config, unit: UnitOfWork, db_set: DbSet, positions: tuple[PinnedPosition, ...]) -> bool:
    """Settle whether the replica of this unit of work has the position that its pin waits for; asks at most once."""
    replica = replica_for(unit, db_set)
    can_end = config.settings.positions and replica in db_set.replicas
    unit.resolve_position(db_set, ended=can_end and has_replayed(replica, db_set.name, positions))
    return not unit.is_pinned_to_end(db_set.name)


def replica_alias(config: Config, alias: str) -> str:
    """Return the replica this context reads for `alias`, its master where none can be read or pindb is disabled."""
    db_set = config.owners[alias]
    if not config.settings.enabled or not db_set.replicas:
        return db_set.masters[alias]
    return replica_for(current_frame_for(config).unit, db_set)


def current_frame_for(config: Config) -> Frame:
    """Return the current frame, its remembered answers emptied if the settings have changed since they were given."""
    frame = current_frame()
    if frame.unit.config is not config:
        frame.unit.rebuild_cache(config)
    if frame.cache.config is not config:
        frame.cache.reset(config)
    return frame
