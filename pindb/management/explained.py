"""`Explained`: what `pindb_explain` has run, and the queries of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pindb.api.explain import as_table
from pindb.monitoring.queries import Query, summary

HEADINGS: Final = {
    "alias": "alias",
    "table": "table",
    "reason": "reason",
    "origin": "the pin comes from",
    "line": "sent at",
    "sql": "query",
}
"""The columns, by what `Query.texts()` calls them."""

LONGEST_SQL: Final = 60


@dataclass(frozen=True, slots=True)
class Explained:
    """What was run, how it ended, and its queries."""

    title: str
    facts: Mapping[str, Any]
    """The same as in the title, for programs."""
    queries: list[Query]
    error: Exception | None = None
    """What has ended it; None if it came to its end."""

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON wants it."""
        return {**self.facts, "queries": [query.texts() for query in self.queries]}

    def __str__(self) -> str:
        texts = [query.short_texts(LONGEST_SQL) for query in self.queries]
        rows = [tuple(HEADINGS.values()), *(tuple(text[name] for name in HEADINGS) for text in texts)]
        return f"{self.title}\n\n{as_table(rows)}\n\n{summary(self.queries)}"
