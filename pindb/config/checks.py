"""System checks of the settings: what `MASTER_DATABASES`, `DATABASE_SETS`, `DATABASES` and `PINDB_*` say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning

from pindb.config import settings as pindb_settings
from pindb.config.database_sets import Config, current_config, load_config
from pindb.config.rollout import BACKENDS, CACHE_PREFIX, seen_by_one_process, switch_from, unusable_backend
from pindb.config.tables import MASTER_ONLY, SEPARATE_PINS
from pindb.exceptions import PinDbConfigError, did_you_mean, first_line

Findings: TypeAlias = list[CheckMessage]
"""The answer of a system check."""

Check: TypeAlias = Callable[..., Findings]


def check_configuration(**_: Any) -> Findings:
    """E001: the settings do not hold together."""
    try:
        delegates = load_config().delegates
        if delegates is not None:
            delegates.routers  # noqa: B018 - imports them
    except PinDbConfigError as error:
        return [Error(error.problem, hint=error.remedy or None, id="pindb.E001")]
    except Exception as error:
        what = f"A router in PINDB_DELEGATE_ROUTERS cannot be built: {first_line(error)}."
        return [Error(what, hint="Correct its __init__(): pindb calls it without arguments.", id="pindb.E001")]
    return []


def check_databases(**_: Any) -> Findings:
    """E002: `DATABASES` lacks an alias of a DB set."""
    config = config_in_force()
    missing = sorted(config.owners.keys() - settings.DATABASES.keys()) if config else []
    if not missing:
        return []
    return [
        Error(
            f"DATABASES lacks {', '.join(map(repr, missing))}, which MASTER_DATABASES and DATABASE_SETS describe.",
            hint="Write DATABASES.update(pindb.populate_replicas(MASTER_DATABASES, DATABASE_SETS)) in the settings.",
            id="pindb.E002",
        )
    ]


def check_names(**_: Any) -> Findings:
    """W001: an unknown `PINDB_*` setting, or a dict of settings."""
    findings: Findings = [
        Warning(f"{name} is not a setting of pindb.", hint=did_you_mean(name, pindb_settings.NAMES), id="pindb.W001")
        for name in sorted(dir(settings))
        if name.startswith("PINDB_") and name not in pindb_settings.NAMES
    ]
    if hasattr(settings, "PINDB"):
        hint = "Write each setting by itself, e.g. PINDB_PINNING_SECONDS = 15."
        findings.append(Warning("PINDB is not a setting of pindb: nothing of it is read.", hint=hint, id="pindb.W001"))
    return findings


def check_atomic_requests(**_: Any) -> Findings:
    """W004: `ATOMIC_REQUESTS` sends all reads of all views to the master."""
    config = config_in_force()
    if config is None or not config.settings.master_in_atomic:
        return []
    return [
        Warning(
            f'DATABASES["{name}"] has ATOMIC_REQUESTS: each view is a transaction on the master, none reads a replica.',
            hint='Take ATOMIC_REQUESTS out, or write PINDB_READS_IN_ATOMIC = "replica".',
            id="pindb.W004",
        )
        for name, db_set in config.sets.items()
        if db_set.replicas and settings.DATABASES.get(name, {}).get("ATOMIC_REQUESTS")
    ]


def check_replica_keys(**_: Any) -> Findings:
    """W012: a key in a replica's entry that changes nothing, because Django reads another one or none."""
    config = config_in_force()
    findings: Findings = []
    for name in config.sets if config else ():
        # A database backend may have settings of its own: the master has them as well.
        known = DATABASE_KEYS | settings.MASTER_DATABASES[name].keys()
        for index, replica in enumerate(settings.DATABASE_SETS[name]):
            for key in replica:
                if key not in known:
                    what = (
                        f'DATABASE_SETS["{name}"][{index}] has the key {key!r}, which is not a setting of a database.'
                    )
                    hint = f"{did_you_mean(str(key).upper(), known)} Keys are written in upper case."
                    findings.append(Warning(what, hint=hint, id="pindb.W012"))
    return findings


DATABASE_KEYS: Final = frozenset({
    "ALIAS", "ATOMIC_REQUESTS", "AUTOCOMMIT", "CONN_HEALTH_CHECKS", "CONN_MAX_AGE", "DISABLE_SERVER_SIDE_CURSORS",
    "ENGINE", "HOST", "NAME", "OPTIONS", "PASSWORD", "PORT", "TEST", "TIME_ZONE", "USER",
})  # fmt: skip
"""Django's settings of a database, and `ALIAS`."""


def check_tables(**_: Any) -> Findings:
    """W025: an entry of `PINDB_SEPARATE_PINS` or `PINDB_MASTER_ONLY` that names no installed app, and no model."""
    config = config_in_force()
    if config is None:
        return []
    known = {label for model in apps.get_models() for label in (model._meta.app_label, model._meta.label_lower)}
    return [
        Warning(
            f"{name} has {entry!r}, which is neither the label of an installed app nor one of its models.",
            hint=f"{did_you_mean(entry, known)} A label is the last part of the app's path, unless its AppConfig has "
            "another one.",
            id="pindb.W025",
        )
        for name, entries in (
            ("PINDB_SEPARATE_PINS", config.settings.separate_pins),
            ("PINDB_MASTER_ONLY", config.settings.master_only),
        )
        for entry in entries
        if entry.lower() not in known and entry not in (*SEPARATE_PINS, *MASTER_ONLY)
    ]


def check_replicas(**_: Any) -> Findings:
    """I001: DB sets without replicas.

    Only `check --deploy` says so: an empty list in `DATABASE_SETS` is written on purpose.
    """
    config = config_in_force()
    names = [name for name, db_set in (config.sets if config else {}).items() if not db_set.replicas]
    if not names:
        return []
    many = len(names) > 1
    what = f"The DB set{'s' * many} {', '.join(map(repr, names))} {'have' if many else 'has'} no replicas"
    return [
        Info(
            f"{what}: all reads of {'them' if many else 'it'} use the master.",
            hint=f'List them in DATABASE_SETS["{names[0]}"], or silence this with SILENCED_SYSTEM_CHECKS = '
            '["pindb.I001"].',
            id="pindb.I001",
        )
    ]


def check_switch(**_: Any) -> Findings:
    """E005, W026: `PINDB_SWITCH` cannot be asked, or its cache is not shared by the processes."""
    config = config_in_force()
    switch = config.settings.switch if config else None
    if switch is None:
        return []
    try:
        switch_from(switch)
    except PinDbConfigError as error:
        return [Error(error.problem, hint=error.remedy or None, id="pindb.E005")]
    if not isinstance(switch, str) or not switch.startswith(CACHE_PREFIX):
        return []  # a function
    alias = switch.removeprefix(CACHE_PREFIX)
    if problem := unusable_backend("PINDB_SWITCH", alias):
        return [Error(problem, hint=BACKENDS, id="pindb.E005")]
    if not seen_by_one_process(alias):
        return []
    message = (
        f"PINDB_SWITCH names the cache {alias!r}, which no other process sees: manage.py pindb_switch has no effect."
    )
    return [Warning(message, hint="Name a cache that is shared: Redis, Memcached, database, files.", id="pindb.W026")]


def config_in_force() -> Config | None:
    """Return the config, None where E001 has said that there is none."""
    try:
        return current_config()
    except PinDbConfigError:
        return None


CHECKS: Final[tuple[Check, ...]] = (
    check_configuration,
    check_databases,
    check_names,
    check_replica_keys,
    check_tables,
    check_atomic_requests,
    check_switch,
)
DEPLOY_CHECKS: Final[tuple[Check, ...]] = (check_replicas,)
"""Those that `manage.py check --deploy` runs, and no other command."""
