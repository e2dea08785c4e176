"""Records the queries of some code, each with the decision that sent it where it went."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from django.db import connections

from pindb.api.explain import reason_text
from pindb.config.database_sets import current_config
from pindb.core.frames import ReadFrom, current_frame
from pindb.lines import calling_line, short_line
from pindb.routing.decision import Decision, Reason, listeners, listening
from pindb.routing.writes.statements import Effect, effect_of, first_table_of
from pindb.routing.writes.tracking import written_by
from pindb.servers.vendors.base import QUERY_MARKER

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

NOT_ASKED: Final = "no router was asked where to read"
WRITE: Final = "write"
OWN: Final = "pindb asks the server"


class Cause(NamedTuple):
    """What keeps a read on a master, and can be mended."""

    reason: Reason
    origin: str

    def __str__(self) -> str:
        return f"{self.reason.value} ({short_line(self.origin)})" if self.origin else self.reason.value


@dataclass(frozen=True, slots=True)
class Query:
    """One query: its statement, its alias, why it went there, and the line that sent it."""

    sql: str
    alias: str
    why: Decision | str
    """The decision of a read through the router, else what the query is."""
    line: str
    pins: frozenset[str] = frozenset()
    """The names of the DB sets that it pins."""

    @property
    def is_read(self) -> bool:
        return self.why not in (WRITE, OWN)

    @property
    def table(self) -> str:
        """The table that it changes, or the first one that it reads; "" if it is not written as Django writes it."""
        return first_table_of(self.sql)

    @property
    def reason(self) -> str:
        return self.why if isinstance(self.why, str) else reason_text(self.why)

    @property
    def origin(self) -> str:
        """Where the pin comes from; "" without one."""
        return "" if isinstance(self.why, str) else self.why.origin

    @property
    def cause(self) -> Cause | None:
        """What keeps it on a master, if that can be mended."""
        if isinstance(self.why, str) or self.why.reason not in CURABLE:
            return None
        return Cause(self.why.reason, self.why.origin)

    def texts(self) -> dict[str, str]:
        """Return what there is to print of it, the statement in full."""
        return {name: getattr(self, name) for name in ("alias", "table", "reason", "origin", "line", "sql")}

    def short_texts(self, longest_sql: int) -> dict[str, str]:
        """Return the same as it fits into a table: the statement on one line, and cut; short paths."""
        sql = " ".join(self.sql.split())
        return self.texts() | {
            "origin": short_line(self.origin),
            "line": short_line(self.line),
            "sql": sql if len(sql) <= longest_sql else f"{sql[: longest_sql - 4]} ...",
        }


class _LastDecisions(threading.local):
    """The last decision for each alias since this thread's last query; None before it is watched."""

    by_alias: dict[str, Decision] | None = None


class QueryRecorder:
    """Collects the queries of the code in the block, and of no other code that runs at the same time.

        with QueryRecorder() as recorder:
            checkout(request)
        print(recorder.queries)

    Each thread sends its queries over its own connections. Those of this thread are watched, and those of another one
    after its first question to a router in the block's context (`sync_to_async`), or after `watch_thread()` in it.
    """

    def __init__(self) -> None:
        self.queries: Final[list[Query]] = []
        self._stack: Final = ExitStack()
        self._last: Final = _LastDecisions()
        self._lock: Final = threading.Lock()
        self._is_over = False

    def __enter__(self) -> Self:
        self._stack.enter_context(listening(self._hear))
        self.watch_thread()
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            self._is_over = True
        self._stack.close()

    def watch_thread(self) -> dict[str, Decision]:
        """Watch the connections of the running thread; return its last decisions by alias."""
        if self._last.by_alias is None:
            self._last.by_alias = {}
            with self._lock:
                # A thread that the block has started may outlive it.
                for connection in () if self._is_over else connections.all():
                    # First in the list: `with connection.execute_wrapper()` takes away the last.
                    connection.execute_wrappers.insert(0, self._record)
                    self._stack.callback(self._unwatch, connection)
        return self._last.by_alias

    def _unwatch(self, connection: BaseDatabaseWrapper) -> None:
        with suppress(ValueError):
            connection.execute_wrappers.remove(self._record)

    def _hear(self, decision: Decision) -> None:
        self.watch_thread()[decision.alias] = decision

    def _record(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        # Asynchronous requests may share a thread, and so a connection.
        if self._hear in listeners.get():
            self.queries.append(self._query(sql, context["connection"]))
        return execute(sql, params, many, context)

    def _query(self, sql: Any, connection: BaseDatabaseWrapper) -> Query:
        if isinstance(sql, str) and sql.startswith(QUERY_MARKER):
            return Query(sql, connection.alias, OWN, calling_line())
        decisions = self.watch_thread()
        decision = decisions.get(connection.alias, NOT_ASKED)
        decisions.clear()
        effect = effect_of(sql, connection.connection)
        if effect.writes:
            return Query(str(sql), connection.alias, WRITE, calling_line(), _pinned(connection.alias, effect, sql))
        return Query(str(sql), connection.alias, decision, calling_line())


def _pinned(alias: str, effect: Effect, sql: Any) -> frozenset[str]:
    """Return the names of the DB sets that a statement pins if it writes something."""
    db_set = current_config().owners.get(alias)
    if db_set is None:
        return frozenset()
    overrides = current_frame().overrides
    written = {part.name for part in written_by(db_set, effect, sql)}
    return frozenset(name for name in written if overrides.get(name) is not ReadFrom.MASTER)


def on_replicas(queries: Iterable[Query]) -> list[Query]:
    """Return the reads that went to replicas."""
    replicas = {alias for db_set in current_config().sets.values() for alias in db_set.replicas}
    return [query for query in queries if query.is_read and query.alias in replicas]


def summary(queries: list[Query]) -> str:
    """Return how many reads went to replicas, and what keeps most of the others on masters."""
    reads = [query for query in queries if query.is_read]
    text = f"{len(queries)} queries, {len(reads)} reads: {len(on_replicas(reads))} on replicas"
    shadow = [query.why for query in reads if isinstance(query.why, Decision) and query.why.is_shadow]
    text += f", {sum(each.role == 'replica' for each in shadow)} more without shadow mode." if shadow else "."
    causes = list(dict.fromkeys(query.cause for query in reads if query.cause is not None))
    if causes:
        freed, cause = max(((_freed(queries, cause), cause) for cause in causes), key=itemgetter(0))
        if freed:
            text += f" {freed} would go to a replica without this cause: {cause}."
        else:
            text += f" Without the first cause, {cause}, no more reads would go to a replica: another line writes too."
    return text


def _freed(queries: Iterable[Query], cause: Cause) -> int:
    """Return how many reads would go to a replica without `cause`: another line that writes pins from there on."""
    pinned: set[str | None] = set()
    freed = 0
    for query in queries:
        if query.line != cause.origin:
            pinned.update(query.pins)
        if isinstance(query.why, Decision) and query.cause == cause and query.why.db_set not in pinned:
            freed += 1
    return freed


CURABLE: Final = frozenset(
    {
        Reason.MASTER_OVERRIDE,
        Reason.OPEN_TRANSACTION,
        Reason.PINNED_BY_WRITE,
        Reason.PINNED_BY_HAND,
        Reason.PINNED_BY_CALLER,
        Reason.WAITING_FOR_POSITION,
    }
)
