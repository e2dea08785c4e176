"""`explain()`: collects the decisions about the reads of a block, and prints them as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pindb.lines import short_line
from pindb.routing.decision import Decision, listening

HEADINGS = ("reads", "of", "alias", "reason", "the pin comes from", "asked at")


class Decisions(list[Decision]):
    """Decisions in the order in which they were made. As text they are a table: equal ones are a row."""

    def __str__(self) -> str:
        return as_table([HEADINGS, *(_row(decision, count) for decision, count in Counter(self).items())])


@contextmanager
def explain() -> Iterator[Decisions]:
    """Collect where the reads of the block go, and why: one `Decision` for each question to the router.

        with pindb.explain() as decisions:
            checkout(request)
        print(decisions)

    Threads and asyncio tasks count that Django or the block starts with its context (`sync_to_async`). A query with
    `.using(...)` asks no router. Where a pin comes from is known of pins that were made inside the block. Meanwhile
    routing is slower in the whole process.
    """
    decisions = Decisions()
    with listening(decisions.append):
        yield decisions


def as_table(rows: Sequence[tuple[str, ...]]) -> str:
    """Return `rows`, the headings first, with their columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def reason_text(decision: Decision) -> str:
    """Return the reason in words. In shadow mode it is that of what would have happened."""
    return f"{decision.reason.value}{' (shadow)' if decision.is_shadow else ''}"


def _row(decision: Decision, count: int) -> tuple[str, ...]:
    return (
        str(count),
        decision.db_set or "-",
        decision.alias,
        reason_text(decision),
        short_line(decision.origin),
        short_line(decision.line),
    )
