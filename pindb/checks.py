"""All system checks, and those of servers. Ids are stable, each hint says what to type; `docs/checks.md` lists them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from django.conf import settings
from django.core import mail
from django.core.checks import Info, Warning
from django.db import connections

from pindb.adapters import checks as queue_checks
from pindb.config import checks as config_checks
from pindb.config.checks import Check, Findings, config_in_force
from pindb.routing import checks as routing_checks
from pindb.servers.positions import describe
from pindb.servers.probe import identity_of, same_server
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


def check_servers(databases: Collection[str] | None = None, **_: Any) -> Findings:
    """W013, W014, I004: a replica is its master itself, or no copy of it. Servers are asked with `--database` only."""
    config = config_in_force()
    findings: Findings = []
    if config is None or hasattr(mail, "outbox"):
        return []  # Django's test runner: its replicas are mirrors of their masters, and it names all its databases
    for name, db_set in config.sets.items():
        known = [alias for alias in db_set.replicas if {alias, name} <= connections.settings.keys()]
        same = [alias for alias in known if same_server(alias, name)]
        if same and not settings.DEBUG:  # in development, one server often is both
            findings += [_is_master(alias, name, "its entry in DATABASE_SETS changes nothing") for alias in same]
        if name in (databases or ()):
            findings += compare(name, [alias for alias in known if alias not in same])
    return findings


def compare(master: str, replicas: Iterable[str]) -> Findings:
    """Ask the servers of a DB set who they are, and return which replica is not one of this master."""
    findings: Findings = []
    of_master = identity_of(master)
    for alias in replicas:
        identity = of_master if isinstance(of_master, str) else identity_of(alias)
        if isinstance(identity, str):
            message = f"The replica {alias!r} was not compared with its master {master!r}: {identity}."
            hint = f"When both can be reached, type manage.py check --database {master}."
            findings.append(Info(message, hint=hint, id="pindb.I004"))
        elif identity is None or of_master is None or isinstance(of_master, str):
            continue
        elif identity == of_master:
            findings.append(_is_master(alias, master, f"both lead to the server {identity.server}"))
        elif identity.database != of_master.database:
            what = f"the database {identity.database!r}, its master {of_master.database!r}"
            findings.append(_is_other(alias, what, f"NAME of {alias!r}"))
        elif identity.cluster != of_master.cluster:
            what = f"the cluster {identity.cluster}, its master {of_master.cluster}"
            findings.append(_is_other(alias, what, f"HOST and PORT of {alias!r}"))
    return findings


def _is_master(alias: str, master: str, why: str) -> Warning:
    return Warning(
        f"The replica {alias!r} is its master {master!r} itself: {why}.",
        hint=f'Correct its HOST and PORT in DATABASE_SETS["{master}"], or take it out there.',
        id="pindb.W013",
    )


def _is_other(alias: str, what: str, correct: str) -> Warning:
    return Warning(
        f"The replica {alias!r} is no copy of its master: it serves {what}.",
        hint=f"Correct {correct} in DATABASE_SETS: a replica has to be a standby of its master.",
        id="pindb.W014",
    )


ALL: Final[tuple[Check, ...]] = (
    *config_checks.CHECKS,
    *web_checks.CHECKS,
    *routing_checks.CHECKS,
    *queue_checks.CHECKS,
    check_consistency,
    check_lag,
    check_servers,
)
DEPLOY: Final[tuple[Check, ...]] = config_checks.DEPLOY_CHECKS
