"""All system checks, and those of servers. Ids are stable, each hint says what to type; `docs/checks.md` lists them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from django.conf import settings
from django.core import mail
from django.core.checks import CheckMessage, Error, Info, Warning
from django.db import connections

from pindb import leftovers
from pindb.adapters import checks as queue_checks
from pindb.config import checks as config_checks
from pindb.config.checks import Check, Findings, config_in_force
from pindb.config.database_sets import Config
from pindb.config.rollout import BACKENDS, unusable_backend
from pindb.exceptions import PinDbConfigError
from pindb.monitoring.sinks import REMEDY, CacheSink, sink_from
from pindb.routing import checks as routing_checks
from pindb.servers.probe import identity_of, same_server
from pindb.servers.survey import Description, describe
from pindb.servers.vendors import TELLS_LAG
from pindb.web import checks as web_checks


def check_consistency(**_: Any) -> Findings:
    """I003, W011: which mode each DB set runs in, as far as its engine tells. Nobody is asked."""
    config = config_in_force()
    if config is None or not config.settings.positions:
        if config is None or not config.settings.monotonic_reads:
            return []
        message = "PINDB_MONOTONIC_READS has no effect: what has been read is handed on as a position."
        return [Warning(message, hint='Write PINDB_CONSISTENCY = "position".', id="pindb.W011")]
    return [_mode_of(config, name, ask=False) for name in config.sets]


def check_positions(databases: Collection[str] | None = None, **_: Any) -> Findings:
    """I003 once more for the DB sets named with `--database`: their servers are asked for a position."""
    config = config_in_force()
    if config is None or not config.settings.positions:
        return []
    return [_mode_of(config, name, ask=True) for name in config.sets if name in (databases or ())]


def _mode_of(config: Config, name: str, *, ask: bool) -> CheckMessage:
    known = name in connections.settings
    mode = describe(name, config.sets[name].replicas, ask=ask) if known else Description()
    hint: str | None
    if mode.why_not:
        message = f"The DB set {name!r} runs in time mode, not in position mode: {mode.why_not}."
        hint = f"Its pins end after PINDB_PINNING_SECONDS = {config.settings.pinning_seconds:g}."
    else:
        message = f"The DB set {name!r} runs in position mode ({mode.kind}{', asked just now' if ask else ''})."
        hint = None if ask else f"Type manage.py check --database {name} to have the servers asked."
    return Info(message, hint=hint, id="pindb.I003")


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


def check_report(**_: Any) -> Findings:
    """E007, W028: `PINDB_REPORT` names what cannot be written, or a cache that is not shared by the processes."""
    config = config_in_force()
    value = config.settings.report if config else None
    if value is None:
        return []
    try:
        sink = sink_from(value)
    except PinDbConfigError as error:
        return [Error(str(error), hint=REMEDY, id="pindb.E007")]
    if isinstance(sink, CacheSink) and (problem := unusable_backend("PINDB_REPORT", sink.alias)):
        return [Error(problem, hint=BACKENDS, id="pindb.E007")]
    if not (problem := sink.problem()):
        return []
    message = f"PINDB_REPORT is {value!r}, which {problem}."
    if isinstance(sink, CacheSink):
        return [Warning(message, hint=REMEDY, id="pindb.W028")]
    return [Error(message, hint=REMEDY, id="pindb.E007")]


def check_entries(**_: Any) -> Findings:
    """W013: a replica is its master itself, as its entry in `DATABASE_SETS` changes nothing. Nobody is asked."""
    config = config_in_force()
    if config is None or settings.DEBUG or hasattr(mail, "outbox"):
        return []  # in development, one server often is both; in Django's test runner replicas are mirrors
    return [
        _is_master(alias, name, "its entry in DATABASE_SETS changes nothing")
        for name in config.sets
        for alias in _replicas(config, name)
        if same_server(alias, name)
    ]


def check_servers(databases: Collection[str] | None = None, **_: Any) -> Findings:
    """W013, W014, I004: the servers of the DB sets named with `--database` say whether a replica copies its master."""
    config = config_in_force()
    if config is None or hasattr(mail, "outbox"):
        return []
    findings: Findings = []
    for name in config.sets:
        if name in (databases or ()):
            findings += compare(name, [alias for alias in _replicas(config, name) if not same_server(alias, name)])
    return findings


def _replicas(config: Config, name: str) -> list[str]:
    """Return the replicas of a DB set that `DATABASES` has; E002 tells of others."""
    return [alias for alias in config.sets[name].replicas if {alias, name} <= connections.settings.keys()]


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
    *leftovers.CHECKS,
    check_consistency,
    check_lag,
    check_report,
    check_entries,
)
DEPLOY: Final[tuple[Check, ...]] = config_checks.DEPLOY_CHECKS
ASKING: Final[tuple[Check, ...]] = (check_positions, check_servers)
"""They ask servers, so they run with `--database` only.

Without it Django 5.2 and 6.0 pass no databases; Django 6.1 passes all, but leaves out checks tagged `database`.
"""
