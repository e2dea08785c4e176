"""The functions of `import pindb`: pin a DB set, and ask for the pins and the replica of this unit of work."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from pindb.config.database_sets import ALL_SETS, current_config
from pindb.core.frames import current_frame, forget_decisions
from pindb.routing.rules import current_frame_for, replica_alias
from pindb.routing.writes.tracking import record_pin


def pin(alias: str, count_as_new: bool = True) -> None:
    """Read the DB set of `alias` from its master, from here to the end of the unit of work.

        pindb.pin("default")
        stock = Stock.objects.get(pk=7)     # from the master

    The pin is handed on to the browser's next request and to the tasks that this unit of work publishes. With
    `count_as_new=False` it is not. An unmanaged alias is left alone. Raises `PinDbConfigError` for an alias that does
    not exist.
    """
    config = current_config()
    db_set = config.find(alias)
    if db_set is not None and config.settings.enabled:
        unit = current_frame_for(config).unit
        record_pin(config, unit, db_set, db_set.masters[alias], as_new=count_as_new)


def is_pinned(alias: str) -> bool:
    """Return whether the DB set of `alias` is pinned in this unit of work. Raises `PinDbConfigError` as `pin` does."""
    config = current_config()
    db_set = config.find(alias)
    return db_set is not None and config.settings.enabled and current_frame().unit.is_pinned(db_set.name)


def get_pinned() -> frozenset[str]:
    """Return the names of the DB sets that are pinned in this unit of work, as a snapshot."""
    return frozenset(filter(current_config().sets.__contains__, pinned_names()))


def pinned_names() -> frozenset[str]:
    """Return what is pinned in this unit of work: names of DB sets, and of tables that have pins of their own.

    `pin()` takes each of them.
    """
    config = current_config()
    if not config.settings.enabled:
        return frozenset()
    unit = current_frame().unit
    return _known(unit.newly_pinned.union(unit.held_pins, list(unit.awaiting_position)), config.pinnable)


def get_newly_pinned() -> frozenset[str]:
    """Return the names of the DB sets that this unit of work has pinned itself and hands on, as a snapshot."""
    config = current_config()
    return _known(current_frame().unit.newly_pinned, config.sets) if config.settings.enabled else frozenset()


def _known(pinned: AbstractSet[str], known: Mapping[str, object]) -> frozenset[str]:
    """Return those of the names that are `known`: all of them if every DB set is pinned."""
    return frozenset(known if ALL_SETS in pinned else filter(known.__contains__, pinned))


def unpin_all() -> None:
    """Start this unit of work again: nothing is pinned, no replica is chosen, nothing will be handed on."""
    unit = current_frame().unit
    unit.clear()
    forget_decisions(unit)


def get_replica(alias: str) -> str:
    """Return the alias of the replica that this unit of work reads, whatever is pinned.

        Order.objects.using(pindb.get_replica("default"))

    It is the master if the DB set has no replica that can be read, or pindb is disabled. An unmanaged alias is returned
    as it is. Raises `PinDbConfigError` as `pin` does.
    """
    config = current_config()
    return alias if config.find(alias) is None else replica_alias(config, alias)
