"""The functions of `import pindb`: pin, and ask what is pinned and which replica is read."""

from __future__ import annotations

from pindb.config.database_sets import ALL_SETS, current_config
from pindb.core.unit_of_work import current_frame, frame_var
from pindb.routing.rules import current_frame_for, replica_alias
from pindb.routing.write_tracking import record_pin


def pin(alias: str, count_as_new: bool = True) -> None:
    """Send this context's reads of `alias`'s DB set to its master, from here to the context's end.

    A new pin is handed on, to the browser's next request and to the tasks that this context publishes; with
    `count_as_new=False` it holds in this context only. An unmanaged alias is left alone. Raises `PinDbConfigError` for
    an alias that does not exist.
    """
    config = current_config()
    db_set = config.find(alias)
    if db_set is not None and config.settings.enabled:
        unit = current_frame_for(config).unit
        record_pin(config, unit, db_set, db_set.masters[alias], as_new=count_as_new)


def is_pinned(alias: str) -> bool:
    """Return whether this context has pinned `alias`'s DB set. Raises `PinDbConfigError` as `pin` does."""
    config = current_config()
    db_set = config.find(alias)
    return db_set is not None and db_set.name in get_pinned()


def get_pinned() -> frozenset[str]:
    """Return the names of the DB sets pinned in this context, a snapshot."""
    config = current_config()
    if not config.settings.enabled:
        return frozenset()
    unit = current_frame().unit
    return frozenset(name for name in config.sets if unit.is_pinned(name))


def get_newly_pinned() -> frozenset[str]:
    """Return the names of the DB sets that this context has pinned itself, and hands on, a snapshot."""
    config = current_config()
    if not config.settings.enabled:
        return frozenset()
    new = frozenset(current_frame().unit.newly_pinned)
    return frozenset(config.sets) if ALL_SETS in new else new


def unpin_all() -> None:
    """Make this context one that has just begun: nothing pinned, no replica chosen, nothing to hand on."""
    unit = current_frame().unit
    unit.clear()
    frame = frame_var.get()
    while frame is not None and frame.unit is unit:
        frame.cache.reset(None)
        frame = frame.parent


def get_replica(alias: str) -> str:
    """Return the alias of the replica that this context reads, for `Model.objects.using(...)`; pins do not matter.

    The master where the DB set has no replica that can be read, or pindb is disabled; an unmanaged alias itself. Raises
    `PinDbConfigError` as `pin` does.
    """
    config = current_config()
    return alias if config.find(alias) is None else replica_alias(config, alias)
