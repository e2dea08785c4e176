"""All system checks, and those of servers. Ids are stable, each hint says what to type; `docs/checks.md` lists them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.core.checks import Info, Warning
from django.db import connections

from pindb.config import checks as config_checks
from pindb.config.checks import Check, Findings, config_in_force
from pindb.routing import checks as routing_checks
from pindb.servers.positions import describe
from pindb.servers.vendors import TELLS_LAG
from pindb.web import checks as web_checks


def check_consistency(databases: Collection[str] | None = None, **_: Any) -> Findings:
    """I003, W011: which mode each DB set runs in. As Django's own checks it connects only where it is told to."""
    config = config_in_force()
    if config is None or not config.settings.positions:
        if config is None or not config.settings.monotonic_reads:
            return []
        message = "PINDB_MONOTONIC_READS has no effect: what has been read is handed on as a position."
        return [Warning(message, hint='Write PINDB_CONSISTENCY = "position".', id="pindb.W011")]
    messages: Findings = []
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


def check_lag(**_: Any) -> Findings:
    """W010, I002: `PINDB_MAX_LAG_SECONDS` for databases whose lag nobody can tell, or asked for too seldom."""
    config = config_in_force()
    longest = config.settings.max_lag_seconds if config else None
    if config is None or longest is None:
        return []
    replicas = [alias for db_set in config.sets.values() for alias in db_set.replicas]
    messages: Findings = [
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


ALL: Final[tuple[Check, ...]] = (
    *config_checks.CHECKS,
    *web_checks.CHECKS,
    *routing_checks.CHECKS,
    check_consistency,
    check_lag,
)
