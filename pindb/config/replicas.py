"""Names the replicas. `populate_replicas` in the settings module and `current_config()` at run time name them alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db.utils import DEFAULT_DB_ALIAS

from pindb.config.settings import database_dict
from pindb.exceptions import PinDbConfigError, did_you_mean

ALIAS: Final = "ALIAS"
"""Key in a replica's entry of DATABASE_SETS: the alias that the replica gets instead of a number."""


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
                f"DATABASE_SETS has {alias!r}, MASTER_DATABASES does not.",
                f"{did_you_mean(alias, masters)} Give {alias!r} a master in MASTER_DATABASES or take it out of "
                "DATABASE_SETS.",
            )
    aliases: dict[str, tuple[str, ...]] = {}
    for name, master in masters.items():
        if name not in sets:
            raise PinDbConfigError(
                f"MASTER_DATABASES has {name!r}, DATABASE_SETS does not.",
                f'Add "{name}": [] to DATABASE_SETS if it has no replicas.',
            )
        replicas = sets[name]
        if not isinstance(replicas, list | tuple) or not all(isinstance(replica, Mapping) for replica in replicas):
            raise PinDbConfigError(
                f'DATABASE_SETS["{name}"] is {replicas!r}.',
                'Write a list with a dict for each replica, e.g. [{"HOST": "replica-1"}].',
            )
        if not isinstance(master, Mapping):
            raise PinDbConfigError(f'MASTER_DATABASES["{name}"] is {master!r}.', "Write a dict as in DATABASES.")
        _check_dicts(f'MASTER_DATABASES["{name}"]', master)
        for index, replica in enumerate(replicas):
            _check_dicts(f'DATABASE_SETS["{name}"][{index}]', replica)
        aliases[name] = tuple(_replica_alias(name, number, replica) for number, replica in enumerate(replicas, 1))
    _check_collisions(aliases)
    return aliases


def _check_dicts(where: str, entry: Mapping[str, Any]) -> None:
    """Raise `PinDbConfigError` if a setting of a database that is a dict is none."""
    for key, example in (("OPTIONS", '{"sslmode": "require"}'), ("TEST", '{"NAME": "test_shop"}')):
        value = entry.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise PinDbConfigError(f'{where}["{key}"] is {value!r}.', f"Write a dict, e.g. {example}, or take it out.")


def _replica_alias(name: str, number: int, replica: Mapping[str, Any]) -> str:
    if ALIAS not in replica:
        return f"{name}-{number}"
    alias = replica[ALIAS]
    # "default" is where Django writes what no router speaks for.
    if not isinstance(alias, str) or alias in ("", "*", DEFAULT_DB_ALIAS):
        raise PinDbConfigError(
            f"DATABASE_SETS[{name!r}][{number - 1}]['ALIAS'] is {alias!r}.",
            "Write a string other than '', '*' and 'default', or take it out: the replica's alias is then "
            f"'{name}-{number}'.",
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
                    f"The alias {alias!r} is used twice, for {both}.",
                    "A replica without an 'ALIAS' in its entry of DATABASE_SETS is numbered '<master>-1', "
                    "'<master>-2', ... Write another ALIAS there, or rename one of the masters in MASTER_DATABASES.",
                )
            users[alias] = user
