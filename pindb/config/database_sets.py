"""DB sets: which master owns which replicas, and which DB set an alias belongs to.

`current_config()` reads MASTER_DATABASES and DATABASE_SETS at run time. `populate_replicas` has read the same two
settings in the settings module. Both name replicas alike: `replica_aliases` does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.db.utils import DEFAULT_DB_ALIAS, ConnectionRouter
from django.utils.functional import cached_property
from django.utils.module_loading import import_string

from pindb.config.aliases import Routed, routed_replicas
from pindb.config.settings import REQUIRED, Settings, database_dict, load_settings
from pindb.exceptions import PinDbConfigError, did_you_mean

ALL_SETS: Final = "*"
"""The name that stands for all DB sets, for when it is not known which ones were written."""

ALIAS: Final = "ALIAS"
"""Key in a replica's entry of DATABASE_SETS: the alias that the replica gets instead of a number."""

SECOND_NAME: Final = "PINDB_SECOND_NAME_OF"
"""Key in a `DATABASES` entry: this alias is another name of that master (`populate_replicas(default=...)`)."""


@dataclass(frozen=True, slots=True)
class DbSet:
    """One master and its replicas, named by the master's alias."""

    name: str
    replicas: tuple[str, ...]
    masters: Mapping[str, str]
    """Every alias of the set, to the alias of the master that a query for it goes to."""
    routed: Routed
    """The answers to reads on replicas."""


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
class Config:
    """All DB sets and the settings they work under; replaced as a whole when a setting changes."""

    settings: Settings
    sets: Mapping[str, DbSet]
    """By name."""
    names: frozenset[str]
    """What a pin may be of: the names, and `ALL_SETS`."""
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
    """The `Config` in force, `None` until needed and after a setting has changed; `plain` where it has no delegates."""

    __slots__ = ("config", "plain")

    def __init__(self) -> None:
        self.config: Config | None = None
        self.plain = False


live: Final = _Live()


def current_config() -> Config:
    """Return the config in force; raises `PinDbConfigError` where the settings do not hold together."""
    return live.config or load_config()


def load_config() -> Config:
    """Read the settings anew, keep and return what they say."""
    replicas = replica_aliases(*(getattr(django_settings, name, None) for name in REQUIRED))
    second = _second_names()
    settings = load_settings()
    db_sets = {name: _db_set(name, aliases, second.get(name), settings) for name, aliases in replicas.items()}
    live.config = config = Config(
        settings=settings,
        sets=db_sets,
        names=frozenset((*db_sets, ALL_SETS)),
        owners={alias: db_set for db_set in db_sets.values() for alias in db_set.masters},
        delegates=Delegates(list(settings.delegate_routers)) if settings.delegate_routers else None,
    )
    live.plain = config.delegates is None
    return config


def _forget(**_: object) -> None:
    live.config, live.plain = None, False


setting_changed.connect(_forget, dispatch_uid="pindb.config", weak=False)


def replica_aliases(masters: object, sets: object) -> dict[str, tuple[str, ...]]:
    """Return each master's replica aliases; raises `PinDbConfigError` where the two settings do not fit together.

    Replica n of "x", from 1, is "x-n", unless its entry names another alias. The others keep their numbers.
    """
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
        aliases[name] = tuple(_replica_alias(name, number, replica) for number, replica in enumerate(replicas, 1))
    _check_collisions(aliases)
    return aliases


def _replica_alias(name: str, number: int, replica: Mapping[str, Any]) -> str:
    if ALIAS not in replica:
        return f"{name}-{number}"
    alias = replica[ALIAS]
    # "default" is where Django writes what no router speaks for.
    if not isinstance(alias, str) or alias in ("", ALL_SETS, DEFAULT_DB_ALIAS):
        raise PinDbConfigError(
            f"DATABASE_SETS[{name!r}][{number - 1}]['ALIAS'] is {alias!r}. Write a string other than '', '*' and "
            f"'default', or take it out: the replica's alias is then '{name}-{number}'."
        )
    return alias


def _check_collisions(aliases: Mapping[str, tuple[str, ...]]) -> None:
    users: dict[str, str] = {name: f"the master of {name!r}" for name in aliases}
    for name, replicas in aliases.items():
        for alias in replicas:
            user = f"a replica of {name!r}"
            if alias in users:
                both = f"two replicas of {name!r}" if users[alias] == user else f"{users[alias]} and for {user}"
                raise PinDbConfigError(
                    f"The alias {alias!r} is used twice, for {both}. A replica without an 'ALIAS' in its entry of "
                    "DATABASE_SETS is numbered '<master>-1', '<master>-2', ... Write another ALIAS there, or rename "
                    "one of the masters in MASTER_DATABASES."
                )
            users[alias] = user


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
    return DbSet(name, replicas, masters, routed)


def _masters(name: str, replicas: tuple[str, ...], second: str | None) -> dict[str, str]:
    """Return, for each alias of a DB set, the alias of the master whose connection serves it.

    Each name of a master is served by itself. What was read from a replica goes to the second name, if there is one:
    that is "default", where `atomic()` opens its transactions.
    """
    masters = {name: name, **dict.fromkeys(replicas, second or name)}
    return {**masters, second: second} if second else masters
