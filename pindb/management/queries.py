"""Records the queries of a block, each with the decision that sent it where it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import connections

from pindb.api.explain import explain
from pindb.config.database_sets import current_config
from pindb.lines import calling_line, short_line
from pindb.routing.decision import Reason
from pindb.routing.writes.statements import effect_of

NOT_ASKED: Final = "no router was asked"
WRITE: Final = "write"


@dataclass(frozen=True, slots=True)
class Query:
    """One query: its statement, its alias, why it went there, where the pin comes from, and the line that sent it."""

    sql: str
    alias: str
    reason: str
    origin: str
    line: str


@contextmanager
def recorded_queries() -> Iterator[list[Query]]:
    """Collect the queries of the block that this thread sends."""
    queries: list[Query] = []
    with explain() as decisions, ExitStack() as stack:

        def record(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
            alias = context["connection"].alias
            if effect_of(sql, context["connection"].connection).writes:
                decision, reason = None, WRITE
            else:
                decision = next((each for each in reversed(decisions) if each.alias == alias), None)
                reason = NOT_ASKED if decision is None else decision.reason.value
            decisions.clear()
            origin = decision.origin if decision is not None else ""
            queries.append(Query(str(sql), alias, reason, origin, calling_line()))
            return execute(sql, params, many, context)

        for connection in connections.all():
            stack.enter_context(connection.execute_wrapper(record))
        yield queries


def summary(queries: list[Query]) -> str:
    """Return how many reads went to replicas, and what keeps most of the others on masters."""
    reads = [query for query in queries if query.reason != WRITE]
    replicas = {alias for db_set in current_config().sets.values() for alias in db_set.replicas}
    on_replicas = [query for query in reads if query.alias in replicas]
    text = f"{len(queries)} queries, {len(reads)} reads: {len(on_replicas)} on replicas."
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
