"""Asks all servers of all DB sets how they are now: for `manage.py pindb_status`, as values, as JSON and as a table.

It asks every server anew and all at the same time. The web and worker processes have knowledge of their own. And
`describe` tells whether a DB set can run in position mode, for the checks as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from django.db import connections

from pindb.config.database_sets import Config, DbSet
from pindb.exceptions import first_line
from pindb.servers.health import PROBE_TIMEOUT, probing, problem_in
from pindb.servers.probe import ask_master, probe_for
from pindb.servers.timed_call import TimedCall
from pindb.servers.vendors import FILES, lacks_privilege, log_vendor_of
from pindb.servers.vendors.base import Report

ALL_READ: Final = 0
SOME_PASSED_OVER: Final = 1
NONE_READ: Final = 2


@dataclass(frozen=True, slots=True)
class Server:
    """The answer of one server. `reads`: units of work may choose it now. `why`: the reason, or another remark."""

    alias: str
    reachable: bool
    lag_seconds: float | None = None
    lag_bytes: int | None = None
    position: str | None = None
    reads: bool = True
    why: str = ""
    answer: Report | None = None
    """Of a replica that was asked: what to decide by, where `why` is what to print."""


@dataclass(frozen=True, slots=True)
class SetStatus:
    """A DB set's servers."""

    name: str
    master: Server
    replicas: tuple[Server, ...]


def survey(config: Config) -> list[SetStatus]:
    """Ask every server of every DB set, all at once; returns within about `PROBE_TIMEOUT`, and never raises."""
    timed_calls = {}
    for name, db_set in config.sets.items():
        if not _is_file(name):
            timed_calls[name] = _timed_call(partial(_master_question, name))
        for alias in db_set.replicas:
            if not _is_file(alias):
                timed_calls[alias] = _timed_call(partial(probing, alias, name, config.settings, lag=True))
    deadline = time.monotonic() + PROBE_TIMEOUT
    answers = {alias: _answer(timed_call, deadline) for alias, timed_call in timed_calls.items()}
    return [_set_status(db_set, answers, config) for db_set in config.sets.values()]


def exit_status(sets: Iterable[SetStatus]) -> int:
    """Return 0 if every replica would be read; 2 if a master, or all replicas of a DB set, are out; else 1."""
    worst = ALL_READ
    for db_set in sets:
        reads = [replica.reads for replica in db_set.replicas]
        if not db_set.master.reads or (reads and not any(reads)):
            return NONE_READ
        if not all(reads):
            worst = SOME_PASSED_OVER
    return worst


def as_dict(sets: Sequence[SetStatus], config: Config) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "status": exit_status(sets),
        "enabled": config.settings.enabled,
        "rollout": str(config.rollout),
        "max_lag_seconds": config.settings.max_lag_seconds,
        "pinning_seconds": config.settings.pinning_seconds,
        "warnings": list(map(str, lag_warnings(sets, config))),
        "sets": {db_set.name: {"master": _document(db_set.master), "replicas": list(map(_document, db_set.replicas))}
                 for db_set in sets},
    }  # fmt: skip


def _document(server: Server) -> dict[str, Any]:
    document = asdict(server)
    del document["answer"]
    return document


class LagWarning(NamedTuple):
    """What is wrong, and what to write."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"


def lag_warnings(sets: Iterable[SetStatus], config: Config) -> list[LagWarning]:
    """Return a warning for each DB set whose timed pins end before a replica that is read has what was written."""
    seconds = config.settings.pinning_seconds
    warnings = []
    for db_set in sets:
        if config.settings.positions and not describe(db_set.name, (), ask=False).why_not:
            continue  # a pin lasts until the replica has its position
        behind = max((replica for replica in db_set.replicas if replica.reads), key=_lag, default=None)
        if behind is not None and _lag(behind) > seconds:
            problem = (
                f"PINDB_PINNING_SECONDS is {seconds:g}, and {behind.alias!r} is {_lag(behind):.1f} s behind: pins end "
                "before it has what was written, and it is read."
            )
            remedy = (
                f"Write a number of seconds over the lag you expect, or PINDB_MAX_LAG_SECONDS = {seconds:g}, so that a "
                "replica which lags more is not read."
            )
            warnings.append(LagWarning(problem, remedy))
    return warnings


class Description(NamedTuple):
    """What kind of database a DB set is that can tell positions, as far as is known; or why it cannot."""

    kind: str = ""
    why_not: str = ""
    silent: str = ""
    """The alias of the server that does not tell its position."""
    lacks_privilege: bool = False
    """Whether it does not because the role may not ask."""


def describe(master: str, replicas: Sequence[str], *, ask: bool) -> Description:
    """Return whether the DB set of `master` can tell positions. `ask`: its servers say so, not only its engine."""
    connection = connections[master]
    if connection.vendor not in ("postgresql", "mysql"):
        return Description(why_not=f"{connection.display_name} does not tell positions")
    if not ask:
        return Description("MySQL or MariaDB" if connection.vendor == "mysql" else connection.display_name)
    alias = master
    try:
        vendor = log_vendor_of(connection)
        if vendor is None:
            return Description(why_not=f"{connection.display_name} does not tell positions")
        position = vendor.written(connection)
        for alias in replicas if position else ():
            position = vendor.replayed(connections[alias]).position
            if not position:
                break
    except Exception as error:
        why_not = f"{alias!r} does not tell its position ({first_line(error)})"
        return Description(why_not=why_not, silent=alias, lacks_privilege=lacks_privilege(error))
    if not position:
        role = "master with a log (MySQL: gtid_mode = ON, and a binary log)" if alias == master else "replica"
        return Description(why_not=f"{alias!r} does not tell its position, it is no {role}", silent=alias)
    return Description(connection.display_name)


def _lag(server: Server) -> float:
    return server.lag_seconds or 0.0


HEADINGS: Final = ("server", "role", "reachable", "lag", "bytes behind", "position", "read now")


def table(sets: Sequence[SetStatus], good: Callable[[str], str], bad: Callable[[str], str]) -> str:
    """Return the table. `good` and `bad` colour the text that they are given."""
    rows = [
        (server, (server.alias, role, "yes" if server.reachable else "no", *_figures(server), _verdict(server)))
        for db_set in sets
        for role, server in [("master", db_set.master), *(("replica", replica) for replica in db_set.replicas)]
    ]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *(cells for _, cells in rows), strict=True)]
    lines = [_line(HEADINGS, widths).rstrip()]
    for server, cells in rows:
        colour = good if server.reads else bad
        # The last column is coloured after it has been laid out, for a colour's codes have a length too.
        lines.append(_line(cells[:-1], widths) + "  " + colour(cells[-1]))
    return "\n".join(lines)


def _is_file(alias: str) -> bool:
    return alias in connections.settings and connections[alias].vendor in FILES


def _timed_call(question: Callable[[], Callable[[], Report]]) -> TimedCall[Report] | Exception:
    try:
        return TimedCall(question(), lambda _: None)
    except Exception as error:
        return error


def _master_question(name: str) -> Callable[[], Report]:
    probe = probe_for(name)
    return lambda: ask_master(probe)


def _answer(timed_call: TimedCall[Report] | Exception, deadline: float) -> Report | str:
    """Return the report of the server, or why there is none."""
    if isinstance(timed_call, Exception):
        return first_line(timed_call)
    if not timed_call.wait(max(0.0, deadline - time.monotonic())):
        return f"no answer within {PROBE_TIMEOUT:g} s"
    if timed_call.error is not None:
        return first_line(timed_call.error)
    return timed_call.result or Report()


def _set_status(db_set: DbSet, answers: dict[str, Report | str], config: Config) -> SetStatus:
    said = answers.get(db_set.name, Report(follows=False))
    if isinstance(said, str):
        master = Server(db_set.name, reachable=False, reads=False, why=said)
    elif said.follows:
        master = Server(db_set.name, reachable=True, reads=False, why="it is a standby, not the master")
    else:
        master = Server(db_set.name, reachable=True, position=said.position)
    end = said.log_bytes if isinstance(said, Report) else None
    replicas = (_replica(alias, answers.get(alias), end, config) for alias in db_set.replicas)
    return SetStatus(db_set.name, master, tuple(replicas))


def _replica(alias: str, said: Report | str | None, end: int | None, config: Config) -> Server:
    """Return a replica; `end` is where its master's log ends, in bytes where the vendor counts them."""
    if said is None:
        return Server(alias, reachable=True, why="a file: it is not asked")
    if isinstance(said, str):
        return Server(alias, reachable=False, reads=False, why=said)
    problem = problem_in(said, config.settings)
    behind = None if end is None or said.log_bytes is None else max(0, end - said.log_bytes)
    return Server(alias, reachable=True, lag_seconds=said.lag, lag_bytes=behind, position=said.position,
                  reads=not problem, why=problem or said.why, answer=said)  # fmt: skip


def _figures(server: Server) -> tuple[str, str, str]:
    lag = "-" if server.lag_seconds is None else f"{server.lag_seconds:.2f} s"
    behind = "-" if server.lag_bytes is None else f"{server.lag_bytes:,}"
    return lag, behind, server.position or "-"


def _verdict(server: Server) -> str:
    return ("yes" if server.reads else "no") + (f": {server.why}" if server.why else "")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False))
