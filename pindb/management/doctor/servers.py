"""The database servers: who answers, which role each has, how far replicas are behind, and what may be asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from django.db import connections

from pindb.checks import compare
from pindb.config.database_sets import Config
from pindb.exceptions import first_line
from pindb.management.doctor.checked import finding_of
from pindb.management.doctor.findings import Finding, Findings, ok, unwise, wrong
from pindb.servers.probe import same_server, servers_behind
from pindb.servers.survey import Description, Server, SetStatus, describe, lag_warnings, survey
from pindb.servers.timed_call import ask_all
from pindb.servers.vendors import FILES, lacks_privilege, log_vendor_of, vendor_of_driver
from pindb.servers.vendors.base import Privileges

NO_PRIVILEGES: Final = Privileges()


def servers(config: Config, seconds: float) -> Findings:
    """Ask all servers at the same time, each question for at most `seconds`."""
    unusable = problems(config)
    for alias, problem in unusable.items():
        if alias in connections.settings:  # else a system check says so
            yield wrong(f"The alias {alias!r} cannot be used: {problem}.", "Install its driver, or correct its ENGINE.")
    for status in survey(without(config, unusable)):
        every = (status.master, *status.replicas)
        asked = [server.alias for server in every if server.reachable and not _is_file(server)]
        privileges = within(seconds, {alias: partial(_privileges, alias) for alias in asked})
        yield _master(status.master)
        for replica in status.replicas:
            yield _replica(replica, status.name, config, _of(privileges, replica.alias))
        yield from _lags(status, config)
        if status.master.reachable and not _is_file(status.master):
            yield from _identities(status.name, asked, seconds)
        if config.settings.positions and status.master.reachable:
            yield from _positions(status, asked, privileges, seconds)
        yield from _poolers(asked, seconds, positions=config.settings.positions)


def problems(config: Config) -> dict[str, str]:
    """Return the aliases that Django cannot make a connection object of, and why."""
    found = {}
    for alias in config.owners:
        try:
            connections[alias]
        except Exception as error:
            found[alias] = first_line(error)
    return found


def without(config: Config, aliases: Container[str]) -> Config:
    """Return the config without these replicas, and without the DB sets of these masters."""
    return replace(
        config,
        sets={
            name: replace(db_set, replicas=tuple(alias for alias in db_set.replicas if alias not in aliases))
            for name, db_set in config.sets.items()
            if name not in aliases
        },
    )


def _is_file(server: Server) -> bool:
    return connections[server.alias].vendor in FILES


def within(seconds: float, questions: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Ask over Django's connections of other threads, which are closed afterwards; a text is why there is no answer."""

    def closing(question: Callable[[], Any]) -> Any:
        try:
            return question()
        finally:
            connections.close_all()

    return ask_all({name: partial(closing, question) for name, question in questions.items()}, seconds)


def _privileges(alias: str) -> Privileges:
    """Return what to type for the role of `alias`, in whole."""
    connection = connections[alias]
    connection.ensure_connection()
    vendor = vendor_of_driver(connection.vendor, connection.connection)
    role = connection.settings_dict.get("USER") or "the role"
    return NO_PRIVILEGES if vendor is None else Privileges(*(text.replace("{}", role) for text in vendor.privileges))


def _of(privileges: Mapping[str, Any], alias: str) -> Privileges:
    found = privileges.get(alias)
    return found if isinstance(found, Privileges) else NO_PRIVILEGES


def _master(master: Server) -> Finding:
    alias = master.alias
    if not master.reachable:
        return wrong(
            f"The master {alias!r} cannot be reached: {master.why}.",
            f'Start it, or correct its entry in MASTER_DATABASES["{alias}"].',
        )
    if not master.reads:
        return wrong(
            f"The master {alias!r} cannot take writes: {master.why}.",
            f'Correct HOST and PORT in MASTER_DATABASES["{alias}"], or promote that server.',
        )
    return ok(f"The master {alias!r} {'is a file' if _is_file(master) else 'answers'}.")


def _replica(replica: Server, master: str, config: Config, privileges: Privileges) -> Finding:
    alias, entry = replica.alias, f'DATABASE_SETS["{master}"]'
    if not replica.reachable:
        return wrong(
            f"The replica {alias!r} cannot be reached, and is skipped: {replica.why}.",
            f"Start it, or correct its entry in {entry}.",
        )
    answer = replica.answer
    if answer is None:
        return ok(f"The replica {alias!r} is a file.")
    if not answer.follows:
        return wrong(
            f"The replica {alias!r} is skipped: {replica.why}.",
            f"Correct its HOST and PORT in {entry}, or make it a standby of {master!r} again.",
        )
    if answer.lag is None:
        if answer.refused:
            remedy = f"Type {privileges.lag}; there." if privileges.lag else "Look at its log."
            return unwise(f"The lag of {alias!r} is not known: {replica.why}.", remedy)
        return wrong(
            f"The replica {alias!r} does not follow its master: {replica.why}. It is {_read(replica)}.",
            f"Have it replicate again, or write PINDB_MAX_LAG_SECONDS = {config.settings.pinning_seconds:g}: it is "
            "then skipped.",
        )
    if not replica.reads:
        return unwise(
            f"The replica {alias!r} is skipped: {replica.why}.",
            f"Find out what holds it up, or write more than PINDB_MAX_LAG_SECONDS = {config.settings.max_lag_seconds}.",
        )
    return ok(f"The replica {alias!r} follows, {answer.lag:.2f} s behind.")


def _read(replica: Server) -> str:
    return "read all the same" if replica.reads else "skipped"


def _lags(status: SetStatus, config: Config) -> Findings:
    """Say which replicas that are read lag too much for pins of `PINDB_PINNING_SECONDS`."""
    if warnings := lag_warnings([status], config):
        yield wrong(warnings[0].problem, warnings[0].remedy)
        return
    lag = max((replica.lag_seconds or 0.0 for replica in status.replicas if replica.reads), default=0.0)
    if not config.settings.positions and lag > config.settings.pinning_seconds / 2:
        yield unwise(
            f"A replica of {status.name!r} is {lag:.1f} s behind, and pins end after PINDB_PINNING_SECONDS = "
            f"{config.settings.pinning_seconds:g}.",
            f"Write PINDB_PINNING_SECONDS = {math.ceil(4 * lag)}.",
        )


def _identities(master: str, asked: list[str], seconds: float) -> Findings:
    """Say which replicas are their master itself, or a copy of another one."""
    different = [alias for alias in asked if alias != master and not same_server(alias, master)]
    for alias, found in ask_all({alias: partial(compare, master, [alias]) for alias in different}, seconds).items():
        if isinstance(found, str):
            yield unwise(f"{alias!r} was not compared with its master {master!r}: {found}.", "Ask again.")
        else:
            yield from map(finding_of, found)


def _positions(status: SetStatus, asked: list[str], privileges: Mapping[str, Any], seconds: float) -> Findings:
    """Say whether the DB set runs in position mode, and what its role may not ask."""
    name = status.name
    replicas = [alias for alias in asked if alias != name]
    answer = within(seconds, {name: partial(describe, name, replicas, ask=True)})[name]
    mode = answer if isinstance(answer, Description) else Description(why_not=answer)
    if mode.why_not:
        grant = _of(privileges, mode.silent).positions
        yield unwise(
            f"The DB set {name!r} runs in time mode, not in position mode: {mode.why_not}.",
            f"Type {grant}; there."
            if mode.lacks_privilege and grant
            else "Take PINDB_CONSISTENCY out, or see docs/positions.md for what the database needs.",
        )
        return
    yield ok(f"The DB set {name!r} runs in position mode ({mode.kind}): its servers tell their positions.")
    for alias, confirmed in within(seconds, {alias: partial(_confirms_timeline, alias) for alias in replicas}).items():
        grant = _of(privileges, alias).failover
        if confirmed is False and grant:
            yield unwise(
                f"After a failover reads use the master for minutes: the role of {alias!r} may not ask which timeline "
                "its server follows.",
                f"Type {grant}; on the master.",
            )


def _confirms_timeline(alias: str) -> bool:
    vendor = log_vendor_of(connections[alias])
    return vendor is None or vendor.replayed(connections[alias]).timeline_confirmed


def _servers_behind(alias: str) -> frozenset[str] | None:
    """Return the servers behind one connection; None where the role may not ask which server it is."""
    try:
        return servers_behind(alias)
    except Exception as error:
        if lacks_privilege(error):
            return None
        raise


def _poolers(asked: list[str], seconds: float, *, positions: bool) -> Findings:
    """Say where one connection leads to several servers."""
    for alias, found in ask_all({alias: partial(_servers_behind, alias) for alias in asked}, seconds).items():
        if found is None:
            continue  # it was not compared with its master, either
        if isinstance(found, str):
            yield unwise(
                f"Whether a pooler spreads the statements of {alias!r} was not seen: {found}.",
                "Allow this role four connections at once, and ask again.",
            )
        elif len(found) > 1:
            what = f"One connection to {alias!r} leads to {len(found)} servers: {', '.join(sorted(found))}."
            remedy = "Give each server an alias of its own in DATABASE_SETS, and the pooler one server for each."
            if positions:
                yield wrong(f"{what} One of them is asked for its position, and another one is read.", remedy)
            else:
                yield unwise(f"{what} Two reads of one request may see data of different ages.", remedy)
