"""`Recorder`: an execute wrapper on every connection, which records each read of a unit of work as it runs.

It believes no router: what counts is the connection that a statement ran on. What it asks the other servers runs
beside, and is not recorded.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

from django.db import connections
from django.db.backends.signals import connection_created

from tests.journeys.records import Read, Unit, join, place_of

WRITES: Final = frozenset({"INSERT", "UPDATE", "DELETE"})
TABLE: Final = re.compile(r'(?:FROM|INTO|UPDATE)\s+"(\w+)"')
LOCKS: Final = re.compile(r"\bFOR (NO KEY )?(UPDATE|SHARE|KEY SHARE)\b")
"""Only the master can lock: such a SELECT is no read."""

current: ContextVar[Unit | None] = ContextVar("current", default=None)


class OtherServers(Protocol):
    """What the recorder asks of the servers that a statement does not run on; `BesideServers` answers."""

    def position(self, master: str) -> int:
        """Return where the log of `master` stands."""

    def has_replayed(self, replica: str, position: int) -> bool:
        """Tell whether `replica` has replayed its master's log up to `position`."""

    def same_rows(self, alias: str, sql: str, params: Any, context: Mapping[str, Any]) -> bool:
        """Tell whether the server of `alias` answers as the connection in `context` has just answered."""


class Recorder:
    """Records units of work. `sets` are the DB sets, each with its replicas' aliases."""

    def __init__(self, sets: Mapping[str, Sequence[str]], servers: OtherServers, write: Callable[[str], None]) -> None:
        self.sets = sets
        self.owners = {alias: name for name, replicas in sets.items() for alias in (name, *replicas)}
        self.servers = servers
        self.write = write

    def install(self) -> None:
        """Watch all connections that are opened from here on."""
        connection_created.connect(self._watch, weak=False, dispatch_uid="journeys")

    def begin(self, unit: Unit) -> None:
        """Record in `unit` what this thread reads from here on."""
        current.set(unit)

    def end(self) -> dict[str, int]:
        """Write the unit of work down; return what the next one of its chain needs."""
        unit = current.get()
        assert unit is not None
        current.set(None)
        needs = self.needs_of_the_next(unit)
        self.write(unit.to_json())
        return needs

    @contextmanager
    def recording(self, unit: Unit) -> Iterator[Unit]:
        """Record the block as `unit`."""
        self.begin(unit)
        try:
            yield unit
        finally:
            self.end()

    def needs_of_the_next(self, unit: Unit) -> dict[str, int]:
        """Return, by place, the log position of the last write that `unit` or its chain has made so far."""
        for place in unit.new_writes:
            unit.hands_on[place] = self.servers.position(self._master(place))
        unit.new_writes.clear()
        return join(unit.needs, unit.hands_on)

    def _master(self, place: str) -> str:
        return place if place in self.sets else "default"

    def _watch(self, connection: Any, **_: Any) -> None:
        if connection.alias in self.owners and self not in connection.execute_wrappers:
            # First in the list: `with connection.execute_wrapper()` takes away the last.
            connection.execute_wrappers.insert(0, self)

    def __call__(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Run a statement of Django's, and record it."""
        unit, statement = current.get(), str(sql)
        word = statement.partition(" ")[0]
        if unit is None or word not in {*WRITES, "SELECT"} or LOCKS.search(statement):
            return execute(sql, params, many, context)
        alias = context["connection"].alias
        table = found[1] if (found := TABLE.search(statement)) else ""
        place = place_of(table, self.owners[alias])
        if word in WRITES:
            unit.written.add(place)
            unit.new_writes.add(place)
            return execute(sql, params, many, context)
        behind = alias not in self.sets and self._is_behind(alias, place, unit)
        at = time.time()
        result = execute(sql, params, many, context)
        unit.reads.append(
            Read(
                at=at,
                table=table,
                place=place,
                alias=str(alias),
                on_replica=alias not in self.sets,
                in_transaction=_in_transaction(self.owners[alias]),
                after_write=place in unit.written,
                after_question=place in unit.asked,
                same=self._replicas_have_the_same(alias, statement, params, context),
                stale=behind and not self.servers.same_rows(self.owners[alias], statement, params, context),
            )
        )
        return result

    def _is_behind(self, replica: str, place: str, unit: Unit) -> bool:
        """Tell whether a replica that is about to be read lacks the last write of the chain."""
        if place in unit.new_writes and _in_transaction(self._master(place)):
            return False  # nothing of it is committed
        needed = self.needs_of_the_next(unit).get(place, 0)
        return bool(needed) and not self.servers.has_replayed(replica, needed)

    def _replicas_have_the_same(self, alias: str, sql: str, params: Any, context: Mapping[str, Any]) -> bool | None:
        replicas = self.sets.get(alias)
        if not replicas:
            return None
        return all(self.servers.same_rows(replica, sql, params, context) for replica in replicas)


def _in_transaction(master: str) -> bool:
    return connections[master].in_atomic_block
