"""What is recorded of a unit of work: each of its reads, and what it needs from a replica. A line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

SESSIONS: Final = "sessions"
"""The place of the sessions' tables: nobody joins them with others, so they are one of their own."""
SESSION_TABLES: Final = frozenset({"django_session"})
SETS: Final = ("written", "asked", "new_writes")
"""The fields of a unit of work that JSON has as lists."""


@dataclass(frozen=True, slots=True)
class Read:
    """A SELECT that ran."""

    at: float
    """When it began, in seconds of the wall clock."""
    table: str
    place: str
    """Its DB set, or "sessions"."""
    alias: str
    on_replica: bool
    in_transaction: bool
    """A transaction was open on the master of its DB set."""
    after_write: bool
    """The unit of work had written to the same place before."""
    after_question: bool = False
    """Django had asked the router where to write, to the same place: pindb reads the master from there on."""
    same: bool | None = None
    """On the master: every replica gave the same rows at that moment. None if they were not asked."""
    stale: bool = False
    """On a replica that did not have the last write of the chain, and the master gave other rows."""


@dataclass(slots=True)
class Unit:
    """A request or a task."""

    journey: str
    """Whose it is: "reader", "shopper" or "task"."""
    name: str
    """Its path, or the name of the task."""
    needs: dict[str, int]
    """By place, the log position of the last write of the causal chain that led here."""
    started_after: float | None = None
    """For a task: how many seconds after it was enqueued."""
    hands_on: dict[str, int] = field(default_factory=dict)
    """By place, the log position of what it has written itself."""
    reads: list[Read] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    """What it was to find because its chain had written it, and did not."""
    written: set[str] = field(default_factory=set)
    """The places that it has written to."""
    asked: set[str] = field(default_factory=set)
    """The places of which Django has asked the router where to write."""
    new_writes: set[str] = field(default_factory=set)
    """Those of `written` whose log position is not in `hands_on` yet."""

    def to_json(self) -> str:
        """Return it as a line."""
        return json.dumps(asdict(self) | {name: sorted(getattr(self, name)) for name in SETS})

    @classmethod
    def from_json(cls, line: str) -> Unit:
        """Return the unit of work that `to_json` wrote."""
        values: dict[str, Any] = json.loads(line)
        reads = [Read(**read) for read in values.pop("reads")]
        return cls(**values | {name: set(values[name]) for name in SETS}, reads=reads)


def place_of(table: str, db_set: str) -> str:
    """Return the place of a table of a DB set."""
    return SESSIONS if table in SESSION_TABLES else db_set


def join(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Return, for each place, the later of two log positions."""
    return {place: max(one.get(place, 0), other.get(place, 0)) for place in one.keys() | other.keys()}
