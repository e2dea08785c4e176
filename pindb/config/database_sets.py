"""DB sets: which master owns which replicas, and which DB set an alias belongs to.

`current_config()` reads MASTER_DATABASES and DATABASE_SETS at run time. `populate_replicas` has read the same two
settings in the settings module. Both name replicas alike: `replica_aliases` does it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from django.apps import apps
from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.db.utils import ConnectionRouter
from django.utils.functional import cached_property
from django.utils.module_loading import import_string

from pindb import events
from pindb.config.aliases import Routed, routed_replicas
from pindb.config.replicas import replica_aliases
from pindb.config.rollout import UNANSWERED, Rollout, follow, forget_switch, rollout_in_force
from pindb.config.settings import REQUIRED, Settings, load_settings
from pindb.config.tables import ON_MASTER, REST, UNKNOWN_TABLE, Apart, treated_apart
from pindb.exceptions import PinDbConfigError, did_you_mean

ALL_SETS: Final = "*"
"""The name that stands for all DB sets, for when it is not known which ones were written."""

SECOND_NAME: Final = "PINDB_SECOND_NAME_OF"
"""Key in a `DATABASES` entry: this alias is another name of that master (`populate_replicas(default=...)`)."""


@dataclass(frozen=True, slots=True)
class DbSet:
    """One master and its replicas, named by the master's alias."""

    name: str
    """What its pins are named."""
    servers: str
    """The name of the DB set that these servers are: its own name, unless this is a part of one."""
    replicas: tuple[str, ...]
    masters: Mapping[str, str]
    """By routing key: the alias of the master that a query for it goes to."""
    routed: Routed
    """The answers to reads on replicas."""
    parts: tuple[Part, ...] = ()
    pinned_by_table: Mapping[str, tuple[DbSet, ...]] = field(default_factory=dict)
    """What a write to a table pins, where that is not the DB set itself."""

    @property
    def pin_names(self) -> tuple[str, ...]:
        """The name, and those of the parts that have pins of their own."""
        return (self.name, *(part.name for part in self.parts if isinstance(part, SeparateTables)))


class SeparateTables(DbSet):
    """The tables of one app in a DB set: their pins are their own. It is named `<DB set>.<app label>`."""

    __slots__ = ()


class MasterOnlyTables(DbSet):
    """The tables of a DB set that are read and written on its master, and pin nothing."""

    __slots__ = ()


Part: TypeAlias = SeparateTables | MasterOnlyTables


class Delegates(ConnectionRouter):
    """Django's own chain, of the delegate routers: imported at their first use, not while settings are read."""

    @cached_property
    def routers(self) -> list[Any]:
        """Import them; raises `PinDbConfigError` for a path that leads to no router."""
        return [_delegate(router) for router in self._routers or ()]  # type: ignore[attr-defined]


def _delegate(router: object) -> object:
    if not isinstance(router, str):
        return router
    try:
        return import_string(router)()
    except ImportError as error:
        is_new = router in getattr(django_settings, "PINDB_DELEGATE_ROUTERS", ())
        setting = "PINDB_DELEGATE_ROUTERS" if is_new else "DATABASE_ROUTER_DELEGATE"
        raise PinDbConfigError(
            f"{setting} has {router!r}, which cannot be imported ({error}).",
            'Write the path of a class, e.g. "shop.routers.ShopRouter".',
        ) from error


@dataclass(frozen=True, slots=True)
class Config:
    """All DB sets and the settings they work under; replaced as a whole when a setting changes."""

    settings: Settings
    sets: Mapping[str, DbSet]
    """By name."""
    pinnable: Mapping[str, DbSet]
    """By name: the DB sets and their parts with separate pins."""
    names: frozenset[str]
    """What a pin may be of: those names, and `ALL_SETS`."""
    owners: Mapping[str, DbSet]
    """By any alias of the set."""
    by_key: Mapping[str, DbSet]
    """By routing key: an alias, or one for a table that is treated apart."""
    keys: Mapping[str, Mapping[str, str]]
    """By a table that is treated apart, and by alias: the routing key."""
    written_together: Mapping[str, frozenset[str]]
    """By name: what a write may pin that was announced for it. A link between two tables pins both its ends."""
    delegates: Delegates | None
    rollout: Rollout
    """Which reads may go to replicas at all."""

    def find(self, alias: object) -> DbSet | None:
        """Return the DB set that `alias` belongs to, None for an unmanaged alias; else raise `PinDbConfigError`."""
        owner = self.by_key.get(alias) if isinstance(alias, str) else None
        if isinstance(owner, MasterOnlyTables):
            owner = None
        if owner is None and not (isinstance(alias, str) and alias in django_settings.DATABASES):
            known = {*self.owners, *self.pinnable, *django_settings.DATABASES}
            raise PinDbConfigError(f"{alias!r} is not a database alias.", did_you_mean(alias, known))
        return owner


class _Live:
    """The `Config` in force, `None` until needed and after a setting has changed.

    `plain`: it has no delegates, and treats no table apart.
    """

    __slots__ = ("cached", "config", "listeners", "plain")

    def __init__(self) -> None:
        self.config: Config | None = None
        self.cached: object = None
        """The config whose cached decisions the router may use; none while somebody listens or observes."""
        self.plain = False
        self.listeners = 0
        """How many blocks of this process want to know of each decision."""

    def replace(self, config: Config | None) -> None:
        with _listening:
            self._use(config)

    def _use(self, config: Config | None) -> None:
        self.config = config
        self.plain = config is not None and config.delegates is None and not config.keys
        self.cached = NO_CONFIG if self.listeners or events.observers else config

    def roll_out(self) -> None:
        """Have reads go where the settings and the switch say now."""
        with _listening:
            config = self.config
            if config is not None and config.rollout != (rollout := rollout_in_force(config.settings.rollout)):
                self._use(replace(config, rollout=rollout))

    def listen(self, change: int) -> None:
        """Note that one more block listens, or one less, or that somebody else observes."""
        with _listening:
            self.listeners += change
            self._use(self.config)


NO_CONFIG: Final = object()
_listening: Final = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_listening._at_fork_reinit)  # type: ignore[attr-defined]
    # The child has no thread that follows the switch: its next read finds no config, and follows again.
    os.register_at_fork(after_in_child=lambda: live.replace(None) if forget_switch() else None)
live: Final[_Live] = _Live()


def current_config() -> Config:
    """Return the config in force; raises `PinDbConfigError` where the settings do not hold together."""
    return live.config or load_config()


def load_config() -> Config:
    """Read the settings anew, keep and return what they say."""
    replicas = replica_aliases(*(getattr(django_settings, name, None) for name in REQUIRED))
    second = _second_names()
    settings = load_settings()
    apart = treated_apart(settings.separate_pins, settings.master_only)
    db_sets = {name: _db_set(name, aliases, second.get(name), settings) for name, aliases in replicas.items()}
    db_sets = {name: _with_parts(db_set, apart) for name, db_set in db_sets.items()}
    owners = {alias: db_set for db_set in db_sets.values() for alias in db_set.masters}
    parts = {part.name: part for db_set in db_sets.values() for part in db_set.parts}
    for name in parts.keys() & {*owners, *django_settings.DATABASES}:
        raise PinDbConfigError(
            f"The alias {name!r} is also the name of the pins of an app's tables (PINDB_SEPARATE_PINS).",
            "Rename the alias, or take the app out of the setting.",
        )
    pinnable = {name: part for name, part in parts.items() if not isinstance(part, MasterOnlyTables)}
    keys = {label: {alias: _key(alias, label) for alias in owners} for label in {*apart.labels.values()}}
    config = Config(
        settings=settings,
        sets=db_sets,
        pinnable=pinnable | db_sets,
        names=frozenset((*pinnable, *db_sets, ALL_SETS)),
        owners=owners,
        by_key={key: part for part in parts.values() for key in part.masters} | owners,
        keys={table: keys[label] for table, label in apart.labels.items()},
        written_together=_written_together(db_sets.values()),
        delegates=Delegates(list(settings.delegate_routers)) if settings.delegate_routers else None,
        rollout=settings.rollout if settings.switch is None else UNANSWERED,
    )
    if not apps.models_ready:  # it does not know their tables
        live.replace(None)
        return config
    started = follow(settings.switch if settings.enabled else None, settings.rollout, live.roll_out)
    live.replace(replace(config, rollout=rollout_in_force(settings.rollout)))
    live.roll_out()  # an answer may have come in between
    if started is not None:
        started.wait_for_first_answer()
    return live.config or config


def forget_config(**_: object) -> None:
    """Have the settings read anew when they are needed next."""
    live.replace(None)


setting_changed.connect(forget_config, dispatch_uid="pindb.config", weak=False)


def _second_names() -> dict[str, str]:
    """Return the second names there are, by the master's name."""
    databases = django_settings.DATABASES.items()
    return {database[SECOND_NAME]: alias for alias, database in databases if SECOND_NAME in database}


def _db_set(name: str, replicas: tuple[str, ...], second: str | None, settings: Settings) -> DbSet:
    masters = _masters(name, replicas, second)
    routed = routed_replicas(
        {*masters.values()},
        replicas,
        tagged=settings.rows_belong_to_master or settings.retry_on_master,
        rows_belong_to_master=settings.rows_belong_to_master,
    )
    return DbSet(name, name, replicas, masters, routed)


def _with_parts(whole: DbSet, apart: Apart) -> DbSet:
    """Return the DB set with the parts that are treated apart."""
    parts: dict[str, Part] = {}
    for label in apart.labels.values():
        if label not in parts:
            kind = MasterOnlyTables if label == ON_MASTER else SeparateTables
            masters = {_key(alias, label): master for alias, master in whole.masters.items()}
            parts[label] = kind(_key(whole.name, label), whole.name, whole.replicas, masters, whole.routed)
    if not parts:
        return whole
    pinned: dict[str, tuple[DbSet, ...]] = {}
    db_set = replace(whole, parts=tuple(parts.values()), pinned_by_table=pinned)
    pinnable = tuple(part for part in parts.values() if isinstance(part, SeparateTables))
    pinned[UNKNOWN_TABLE] = (db_set, *pinnable)
    for table in {**apart.labels, **apart.read_with}:
        labels = {apart.labels.get(table, REST), *apart.read_with.get(table, ())} - {ON_MASTER}
        # A statement's table is told without quotes.
        pinned[table.strip('"`')] = tuple(db_set if label == REST else parts[label] for label in sorted(labels))
    return db_set


def _written_together(db_sets: Iterable[DbSet]) -> dict[str, frozenset[str]]:
    together: dict[str, frozenset[str]] = {}
    for db_set in db_sets:
        for table, pinned in db_set.pinned_by_table.items():
            names = frozenset(part.name for part in pinned)
            if table != UNKNOWN_TABLE and len(names) > 1:
                together.update({name: together.get(name, names) | names for name in names})
    return together


def _key(alias: str, label: str) -> str:
    return f"{alias}.{label}"


def _masters(name: str, replicas: tuple[str, ...], second: str | None) -> dict[str, str]:
    """Return, for each alias of a DB set, the alias of the master whose connection serves it.

    Each name of a master is served by itself. What was read from a replica goes to the second name, if there is one:
    that is "default", where `atomic()` opens its transactions.
    """
    masters = {name: name, **dict.fromkeys(replicas, second or name)}
    return {**masters, second: second} if second else masters
