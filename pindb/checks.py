"""System checks: what `manage.py check` says of a configuration. Ids are stable, each hint says what to type."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning
from django.db import connections
from django.utils.module_loading import import_string

from pindb.config import settings as pindb_settings
from pindb.config.database_sets import Config, current_config, load_config
from pindb.exceptions import PinDbConfigError, did_you_mean
from pindb.routing.routers import PinDbRouter
from pindb.servers.positions import describe
from pindb.servers.vendors import TELLS_LAG

MIDDLEWARE: Final = "pindb.middleware.PinDbMiddleware"


def check_configuration(**_: Any) -> list[CheckMessage]:
    """E001: the settings do not hold together."""
    try:
        delegates = load_config().delegates
        if delegates is not None:
            delegates.routers  # noqa: B018 - imports them
    except PinDbConfigError as error:
        what, _separator, remedy = str(error).partition(". ")
        return [Error(f"{what}.", hint=remedy or None, id="pindb.E001")]
    return []


def check_databases(**_: Any) -> list[CheckMessage]:
    """E002: `DATABASES` lacks an alias of a DB set."""
    config = _config()
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


def check_names(**_: Any) -> list[CheckMessage]:
    """W001: a `PINDB_*` setting that there is not."""
    return [
        Warning(f"{name} is not a setting of pindb.", hint=did_you_mean(name, pindb_settings.NAMES), id="pindb.W001")
        for name in sorted(dir(settings))
        if name.startswith("PINDB_") and name not in pindb_settings.NAMES
    ]


def check_middleware(**_: Any) -> list[CheckMessage]:
    """W002, W003: the middleware is missing, or not the first."""
    hint = f'Write MIDDLEWARE = ["{MIDDLEWARE}", ...], ours first.'
    middleware = list(settings.MIDDLEWARE)
    if MIDDLEWARE not in middleware:
        message = "PinDbMiddleware is not in MIDDLEWARE: a client's next request may not see what it has just written."
        return [Warning(message, hint=hint, id="pindb.W002")]
    if middleware[0] != MIDDLEWARE:
        message = f"{middleware[0]} comes before PinDbMiddleware: what it writes is not pinned for the next request."
        return [Warning(message, hint=hint, id="pindb.W003")]
    return []


def check_atomic_requests(**_: Any) -> list[CheckMessage]:
    """W004: `ATOMIC_REQUESTS` sends all reads of all views to the master."""
    config = _config()
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


def check_routers(**_: Any) -> list[CheckMessage]:
    """W005, W006, W007: `DATABASE_ROUTERS` has no router of ours, or another one before or after it."""
    routers = [import_string(router) if isinstance(router, str) else router for router in settings.DATABASE_ROUTERS]
    ours = [index for index, router in enumerate(routers) if _is_ours(router)]
    if not ours:
        message = "DATABASE_ROUTERS has no router of pindb: nothing is read from a replica."
        return [Warning(message, hint='Write DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"].', id="pindb.W005")]
    hint = "Move it to PINDB_DELEGATE_ROUTERS, where it names the masters."
    return [
        Warning(
            f"DATABASE_ROUTERS asks {name!r} before pindb: what it answers is not pinned.", hint=hint, id="pindb.W006"
        )
        if index < ours[0]
        else Warning(f"DATABASE_ROUTERS never asks {name!r}: pindb before it answers.", hint=hint, id="pindb.W007")
        for index, name in enumerate(settings.DATABASE_ROUTERS)
        if index != ours[0] and (hasattr(routers[index], "db_for_read") or hasattr(routers[index], "db_for_write"))
    ]


def check_replicas(**_: Any) -> list[CheckMessage]:
    """I001: a DB set has no replicas."""
    config = _config()
    return [
        Info(
            f"The DB set {name!r} has no replicas: all its reads use the master.",
            hint=f'List them in DATABASE_SETS["{name}"], or silence this with SILENCED_SYSTEM_CHECKS = ["pindb.I001"].',
            id="pindb.I001",
        )
        for name, db_set in (config.sets if config else {}).items()
        if not db_set.replicas
    ]


def check_consistency(databases: Collection[str] | None = None, **_: Any) -> list[CheckMessage]:
    """I003, W011: which mode each DB set runs in. As Django's own checks it connects only where it is told to."""
    config = _config()
    if config is None or not config.settings.positions:
        if config is None or not config.settings.monotonic_reads:
            return []
        message = "PINDB_MONOTONIC_READS has no effect: what has been read is handed on as a position."
        return [Warning(message, hint='Write PINDB_CONSISTENCY = "position".', id="pindb.W011")]
    messages: list[CheckMessage] = []
    for name, db_set in config.sets.items():
        ask = name in (databases or ())
        kind, why_not = describe(name, db_set.replicas, ask=ask) if name in connections.settings else ("", "")
        hint: str | None
        if why_not:
            message = f"The DB set {name!r} runs in time mode, not in position mode: {why_not}."
            hint = f"Its pins end after PINDB_PINNING_SECONDS = {config.settings.pinning_seconds:g}."
        else:
            message = f"The DB set {name!r} runs in position mode ({kind}{', asked just now' if ask else ''})."
            hint = None if ask else f"Type manage.py check --database {name} to have the servers asked."
        messages.append(Info(message, hint=hint, id="pindb.I003"))
    return messages


def check_lag(**_: Any) -> list[CheckMessage]:
    """W010, I002: `PINDB_MAX_LAG_SECONDS` for databases whose lag nobody can tell, or asked for too seldom."""
    config = _config()
    longest = config.settings.max_lag_seconds if config else None
    if config is None or longest is None:
        return []
    replicas = [alias for db_set in config.sets.values() for alias in db_set.replicas]
    messages: list[CheckMessage] = [
        Warning(
            f"The lag of {alias!r} cannot be told ({connections[alias].display_name}): it is never read.",
            hint="Take PINDB_MAX_LAG_SECONDS out of the settings, or the replica out of DATABASE_SETS.",
            id="pindb.W010",
        )
        for alias in replicas
        if alias in connections.settings and connections[alias].vendor not in TELLS_LAG
    ]
    seconds = config.settings.health_seconds
    if replicas and seconds > longest:
        messages.append(
            Info(
                f"A replica is asked for its lag every {seconds:g} s, so that one which stops replicating is read for "
                f"{seconds:g} s more, although PINDB_MAX_LAG_SECONDS is {longest:g}.",
                hint=f"Write PINDB_HEALTH_SECONDS = {longest:g}, or allow more lag.",
                id="pindb.I002",
            )
        )
    return messages


def _config() -> Config | None:
    """Return the config, None where E001 has said that there is none."""
    try:
        return current_config()
    except PinDbConfigError:
        return None


def _is_ours(router: object) -> bool:
    return issubclass(router if isinstance(router, type) else type(router), PinDbRouter)


ALL: Final[tuple[Callable[..., list[CheckMessage]], ...]] = (
    check_configuration,
    check_databases,
    check_names,
    check_middleware,
    check_atomic_requests,
    check_routers,
    check_replicas,
    check_consistency,
    check_lag,
)
