"""DB sets: which master owns which replicas, where an alias belongs, and the settings of the replicas.

`populate_replicas` writes `DATABASES` for the settings module; `current()` reads the same two settings back at run
time. Both number replicas the same way: replica n of set "x" is alias "x-n".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.db.utils import DEFAULT_DB_ALIAS, ConnectionRouter
from django.utils.functional import cached_property
from django.utils.module_loading import import_string

from pindb.config.settings import REQUIRED, Settings, database_dict, load_settings
from pindb.exceptions import PinDbConfigError, did_you_mean

EVERY: Final = "*"
"""The name that stands for all DB sets, for when it is not known which ones were written."""

SECOND_NAME: Final = "PINDB_SECOND_NAME_OF"
"""Key in a `DATABASES` entry: this alias is another name of that master (`populate_replicas(default=...)`)."""


@dataclass(frozen=True, slots=True)
class DbSet:
    """One master and its replicas, named by the master's alias."""

    name: str
    replicas: tuple[str, ...]
    masters: Mapping[str, str]
    """Every alias of the set, to the alias of the master that a query for it goes to."""


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
        raise PinDbConfigError(
            f"PINDB_DELEGATE_ROUTERS has {router!r}, which cannot be imported ({error}). "
            'Write the path of a class, e.g. "shop.routers.ShopRouter".'
        ) from error


@dataclass(frozen=True, slots=True)
class Topology:
    """All DB sets and the settings they work under; replaced as a whole when a setting changes."""

    settings: Settings
    sets: Mapping[str, DbSet]
    """By name."""
    names: frozenset[str]
    """What a pin may be of: the names, and `EVERY`."""
    owners: Mapping[str, DbSet]
    """By any alias of the set."""
    delegates: Delegates | None

    def find(self, alias: object) -> DbSet | None:
        """Return the DB set that `alias` belongs to, None for an unmanaged alias; else raise `PinDbConfigError`."""
        owner = self.owners.get(alias) if isinstance(alias, str) else None
        if owner is None and not (isinstance(alias, str) and alias in django_settings.DATABASES):
            known = {*self.owners, *django_settings.DATABASES}
            raise PinDbConfigError(f"{alias!r} is not a database alias. {did_you_mean(alias, known)}")
        return owner


class _Live:
    """The topology in force, `None` until needed and after a setting has changed; `plain` where it has no delegates."""

    __slots__ = ("plain", "topology")

    def __init__(self) -> None:
        self.topology: Topology | None = None
        self.plain = False


live: Final = _Live()


def current() -> Topology:
    """Return the topology in force; raises `PinDbConfigError` where the settings do not hold together."""
    return live.topology or load()


def load() -> Topology:
    """Read the settings anew, keep and return what they say."""
    replicas = _replica_aliases(*(getattr(django_settings, name, None) for name in REQUIRED))
    second = _second_names()
    db_sets = {
        name: DbSet(name, aliases, _masters(name, aliases, second.get(name))) for name, aliases in replicas.items()
    }
    settings = load_settings()
    live.topology = topology = Topology(
        settings=settings,
        sets=db_sets,
        names=frozenset((*db_sets, EVERY)),
        owners={alias: db_set for db_set in db_sets.values() for alias in db_set.masters},
        delegates=Delegates(list(settings.delegate_routers)) if settings.delegate_routers else None,
    )
    live.plain = topology.delegates is None
    return topology


def _forget(**_: object) -> None:
    live.topology, live.plain = None, False


setting_changed.connect(_forget, dispatch_uid="pindb.topology", weak=False)


def populate_replicas(
    masters: Mapping[str, Mapping[str, Any]],
    sets: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    unmanaged_default: bool = False,
    default: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the `DATABASES` entries of `masters` and of the replicas that `sets` describes.

    `sets` gives, for each master, a list of what each replica has otherwise than the master (nested dicts are merged
    key by key). Replica n of "x", from 1, becomes alias "x-n"; it mirrors the master under Django's test runner, and
    never opens a transaction for a request. The inputs are not modified, the results share nothing with them.

    Django wants a "default": name a master so, or say that `DATABASES` has an unmanaged one (`unmanaged_default`), or
    give a master "default" as its second name (`default="users"`); a pin on either name is the same pin. But each name
    has a connection of its own, so delegates should name that master "default", where `atomic()` opens transactions.

    Raises `PinDbConfigError`.
    """
    aliases = _replica_aliases(masters, sets)
    _check_default(masters, unmanaged_default=unmanaged_default, default=default)
    databases: dict[str, dict[str, Any]] = {}
    for name, master in masters.items():
        databases[name] = _merged(master, {})
        for alias, override in zip(aliases[name], sets[name], strict=True):
            databases[alias] = _merged(master, override)
            databases[alias]["TEST"] = {**(databases[alias].get("TEST") or {}), "MIRROR": name}
            databases[alias]["ATOMIC_REQUESTS"] = False
    if default is not None:
        # No mirror of the master: a test that asks for "default" only would be given the real database, for the test
        # runner makes none for "users" then. Of two aliases with the same settings it makes one test database.
        databases[DEFAULT_DB_ALIAS] = _merged(masters[default], {SECOND_NAME: default})
    return databases


def _check_default(masters: Mapping[str, Any], *, unmanaged_default: bool, default: str | None) -> None:
    if default is not None and (unmanaged_default or DEFAULT_DB_ALIAS in masters):
        other = "unmanaged_default=True" if unmanaged_default else 'a master named "default"'
        raise PinDbConfigError(f"populate_replicas() got default={default!r} and {other}: one of them has to go.")
    if unmanaged_default and DEFAULT_DB_ALIAS in masters:
        raise PinDbConfigError(
            'populate_replicas() got unmanaged_default=True and a master named "default": take out one of them.'
        )
    if default is not None and default not in masters:
        raise PinDbConfigError(
            f"populate_replicas(default={default!r}) names no master. {did_you_mean(default, masters)}"
        )
    if default is None and not unmanaged_default and DEFAULT_DB_ALIAS not in masters:
        raise PinDbConfigError(
            'MASTER_DATABASES has no "default", which Django needs. Name a master "default"; or call '
            'populate_replicas(..., default="<master>") to give one that second name; or, if DATABASES has a '
            '"default" that pindb shall leave alone, populate_replicas(..., unmanaged_default=True).'
        )


def _replica_aliases(masters: object, sets: object) -> dict[str, tuple[str, ...]]:
    """Return each master's replica aliases; raises `PinDbConfigError` where the two settings do not fit together."""
    masters, sets = (
        database_dict("MASTER_DATABASES", masters),
        database_dict("DATABASE_SETS", sets),
    )
    for alias in sets:
        if alias not in masters:
            raise PinDbConfigError(
                f"DATABASE_SETS has {alias!r}, MASTER_DATABASES does not. {did_you_mean(alias, masters)} "
                f"Give {alias!r} a master in MASTER_DATABASES or take it out of DATABASE_SETS."
            )
    aliases: dict[str, tuple[str, ...]] = {}
    for name, master in masters.items():
        if name not in sets:
            raise PinDbConfigError(
                f"MASTER_DATABASES has {name!r}, DATABASE_SETS does not. "
                f'Add "{name}": [] to DATABASE_SETS if it has no replicas.'
            )
        replicas = sets[name]
        if not isinstance(replicas, list | tuple) or not all(isinstance(replica, Mapping) for replica in replicas):
            raise PinDbConfigError(
                f'DATABASE_SETS["{name}"] is {replicas!r}. Write a list with a dict for each replica, '
                'e.g. [{"HOST": "replica-1"}].'
            )
        if not isinstance(master, Mapping):
            raise PinDbConfigError(f'MASTER_DATABASES["{name}"] is {master!r}. Write a dict as in DATABASES.')
        aliases[name] = tuple(f"{name}-{number}" for number in range(1, len(replicas) + 1))
    _check_collisions(aliases)
    return aliases


def _check_collisions(aliases: Mapping[str, tuple[str, ...]]) -> None:
    owners: dict[str, str] = {}
    for name, replicas in aliases.items():
        for alias in (name, *replicas):
            if alias in owners:
                raise PinDbConfigError(
                    f"The alias {alias!r} is wanted twice, in the DB sets {owners[alias]!r} and {name!r}: replicas are "
                    f"numbered '<master>-1', '<master>-2', ... Rename one of the masters in MASTER_DATABASES."
                )
            owners[alias] = name


def _second_names() -> dict[str, str]:
    """Return the second names there are, by the master's name."""
    databases = django_settings.DATABASES.items()
    return {database[SECOND_NAME]: alias for alias, database in databases if SECOND_NAME in database}


def _masters(name: str, replicas: tuple[str, ...], second: str | None) -> dict[str, str]:
    """Return, for each alias of a DB set, the alias of the master whose connection serves it.

    Each name of a master is served by itself. What was read from a replica goes to the second name, if there is one:
    that is "default", where `atomic()` opens its transactions.
    """
    masters = {name: name, **dict.fromkeys(replicas, second or name)}
    return {**masters, second: second} if second else masters


def _merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    merged = {key: _fresh(value) for key, value in base.items()}
    for key, value in override.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(below, value) if both else _fresh(value)  # type: ignore[arg-type]
    return merged


def _fresh(value: Any) -> Any:
    """Return `value` with its containers copied; what they hold (an SSL context, say) may not be copyable."""
    if isinstance(value, Mapping):
        return {key: _fresh(item) for key, item in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_fresh(item) for item in value)
    return value
