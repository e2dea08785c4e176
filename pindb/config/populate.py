"""`populate_replicas`: writes the `DATABASES` entries of masters and replicas for a settings module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.utils import DEFAULT_DB_ALIAS

from pindb.config.database_sets import SECOND_NAME
from pindb.config.replicas import ALIAS, replica_aliases
from pindb.exceptions import PinDbConfigError, did_you_mean


def populate_replicas(
    masters: Mapping[str, Any],
    sets: Mapping[str, Sequence[Any]],
    *,
    unmanaged_default: bool = False,
    default: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the `DATABASES` entries of `masters` and of the replicas that `sets` describes.

    `sets` gives, for each master, a list of what each replica has otherwise than the master (nested dicts are merged
    key by key). Replica n of "x", from 1, becomes alias "x-n", or the alias that its key "ALIAS" names; it mirrors the
    master under Django's test runner, and never opens a transaction for a request. The inputs are not modified, the
    results share nothing with them.

    Django wants a "default": name a master so, or say that `DATABASES` has an unmanaged one (`unmanaged_default`), or
    give a master "default" as its second name (`default="users"`); a pin on either name is the same pin. But each name
    has a connection of its own, so delegates should name that master "default", where `atomic()` opens transactions.

    Raises `PinDbConfigError`.
    """
    aliases = replica_aliases(masters, sets)
    _check_default(masters, unmanaged_default=unmanaged_default, default=default)
    databases: dict[str, dict[str, Any]] = {}
    for name, master in masters.items():
        databases[name] = _merged(master, {})
        for alias, override in zip(aliases[name], sets[name], strict=True):
            databases[alias] = _merged(master, override)
            databases[alias]["TEST"] = {**(databases[alias].get("TEST") or {}), "MIRROR": name}
            databases[alias]["ATOMIC_REQUESTS"] = False
            databases[alias].pop(ALIAS, None)
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
            f"populate_replicas(default={default!r}) names no master.", did_you_mean(default, masters)
        )
    if default is None and not unmanaged_default and DEFAULT_DB_ALIAS not in masters:
        raise PinDbConfigError(
            'MASTER_DATABASES has no "default", which Django needs.',
            'Name a master "default"; or call populate_replicas(..., default="<master>") to give one that second name; '
            'or, if DATABASES has a "default" that pindb shall leave alone, '
            "populate_replicas(..., unmanaged_default=True).",
        )


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
