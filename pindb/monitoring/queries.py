"""Records the queries of some code, each with the decision that sent it where it went."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from django.db import connections

from pindb.api.explain import reason_text
from pindb.config.database_sets import current_config
from pindb.lines import calling_line, short_line
from pindb.routing.decision import Decision, Reason, listeners, listening
from pindb.routing.writes.statements import effect_of
from pindb.servers.vendors.base import QUERY_MARKER

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

NOT_ASKED: Final = "no router was asked where to read"
WRITE: Final = "write"
OWN: Final = "pindb asks the server"


@dataclass(frozen=True, slots=True)
class Query:
    """One query: its statement, its alias, why it went there, where the pin comes from, and the line that sent it."""

    sql: str
    alias: str
    reason: str
    origin: str
    line: str

    @property
    def is_read(self) -> bool:
        return self.reason not in (WRITE, OWN)

    def short_sql(self, length: int) -> str:
        """Return the statement on one line, cut after `length` characters."""
        sql = " ".join(self.sql.split())
        return sql if len(sql) <= length else f"{sql[: length - 4]} ..."


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
            return Query(sql, connection.alias, OWN, "", calling_line())
        decisions = self.watch_thread()
        decision = decisions.get(connection.alias)
        decisions.clear()
        if effect_of(sql, connection.connection).writes:
            return Query(str(sql), connection.alias, WRITE, "", calling_line())
        if decision is None:
            return Query(str(sql), connection.alias, NOT_ASKED, "", calling_line())
        return Query(str(sql), connection.alias, reason_text(decision), decision.origin, calling_line())


def on_replicas(queries: Iterable[Query]) -> list[Query]:
    """Return the reads that went to replicas."""
    replicas = {alias for db_set in current_config().sets.values() for alias in db_set.replicas}
    return [query for query in queries if query.is_read and query.alias in replicas]


def summary(queries: list[Query]) -> str:
    """Return how many reads went to replicas, and what keeps most of the others on masters."""
    reads = [query for query in queries if query.is_read]
    text = f"{len(queries)} queries, {len(reads)} reads: {len(on_replicas(reads))} on replicas."
    causes = Counter((query.reason, query.origin) for query in reads if query.reason in CURABLE)
    if causes:
        ((reason, origin), count), *_ = causes.most_common(1)
        where = f" ({short_line(origin)})" if origin else ""
        text += f" {count} would go to a replica without this cause: {reason}{where}."
    return text


CURABLE: Final = frozenset(
    reason.value
    for reason in (
        Reason.MASTER_OVERRIDE,
        Reason.OPEN_TRANSACTION,
        Reason.PINNED_BY_WRITE,
        Reason.PINNED_BY_HAND,
        Reason.PINNED_BY_CALLER,
        Reason.WAITING_FOR_POSITION,
    )
)
