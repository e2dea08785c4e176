"""`Lag`: holds writes back from replicas, in an ordinary test database, and fails a test that reads past them.

`LagMixin` is the same for the test cases of unittest and Django.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Self
from unittest import mock

from django.db import connections
from django.test import override_settings
from django.utils.connection import ConnectionDoesNotExist

from pindb.api.context_managers import pinning_context
from pindb.config.database_sets import current_config
from pindb.config.tables import UNKNOWN_TABLE
from pindb.core.frames import current_frame
from pindb.core.transactions import TESTCASE, outermost_block
from pindb.core.unit_of_work import UnitOfWork
from pindb.lines import calling_line, short_line
from pindb.routing import rules
from pindb.routing.decision import Decision, Reason, listening
from pindb.routing.writes.statements import effect_of, table_of
from pindb.servers import health
from pindb.testing.mirrors import mirrored


class StaleReadError(AssertionError):
    """A read went to a replica which would not have had a row that was written before."""


@dataclass(frozen=True, slots=True)
class _HeldWrite:
    table: str
    line: str
    chain: int


_chain: Final[ContextVar[int]] = ContextVar("pindb_testing_chain", default=0)
_chains: Final = count(1)


class Lag:
    """Replicas that lag as long as the test wants. They need no server: they share the connection of their master.

        def test_the_order_is_confirmed(client, pindb_lag):
            pindb_lag.hold()
            client.post("/orders/", {"total": "7.50"})      # a task that reads the order from a replica fails the test

    From `hold()` to `release()` what is written does not reach the replicas. A read of a replica that touches a table
    with such a write raises `StaleReadError`, which names both lines. So does the end of the test, where the code under
    test has caught it. What `unpinned_replica()` and `.using(...)` read is allowed to be old.

    Everything in a test is one causal chain, but for the blocks of `another_user()`: their reads may miss the writes of
    others, and others' reads theirs.
    """

    def __init__(self) -> None:
        self._held: list[_HeldWrite] = []
        self._holding = False
        self._last: dict[str, Decision] = {}
        self._stack = ExitStack()
        self.stale_reads: list[str] = []
        """The stale reads so far, as text."""

    def hold(self) -> None:
        """Keep what is written from here on from the replicas."""
        self._holding = True

    def release(self) -> None:
        """Have the replicas catch up."""
        self._holding = False
        self._held.clear()

    @contextmanager
    def another_user(self) -> Iterator[None]:
        """Run the block as somebody else, who may see the writes of the others later."""
        token = _chain.set(next(_chains))
        try:
            yield
        finally:
            _chain.reset(token)

    def __enter__(self) -> Self:
        config = current_config()
        self._stack.enter_context(override_settings(PINDB_CONSISTENCY="time"))
        self._stack.enter_context(mock.patch.object(rules, "in_atomic", _in_own_atomic))
        self._stack.enter_context(mock.patch.object(health, "can_be_read", return_value=True))
        self._stack.enter_context(listening(self._hear))
        for db_set in config.sets.values():
            for alias in {*db_set.masters.values()}:
                self._stack.enter_context(connections[alias].execute_wrapper(self._on_master))
        self._stack.enter_context(mirrored(config, self._on_replica))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def check(self) -> None:
        """Raise `StaleReadError` if there was a stale read, which the code under test may have caught."""
        if self.stale_reads:
            raise StaleReadError("\n\n".join(self.stale_reads))

    def _hear(self, decision: Decision) -> None:
        self._last[decision.alias] = decision

    def _on_master(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if self._holding and effect_of(sql, context["connection"].connection).writes:
            table = table_of(sql) if isinstance(sql, str) else UNKNOWN_TABLE
            self._held.append(_HeldWrite(table, calling_line(), _chain.get()))
        return execute(sql, params, many, context)

    def _on_replica(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        alias = context["connection"].alias
        last = self._last.pop(alias, None)  # None: the code has named the alias itself
        if last is not None and last.reason is not Reason.REPLICA_OVERRIDE:
            for write in self._held:
                if write.chain == _chain.get() and _touches(str(sql), write.table):
                    raise self._stale(write, alias)
        return execute(sql, params, many, context)

    def _stale(self, write: _HeldWrite, alias: str) -> StaleReadError:
        unit = current_frame().unit
        what = f"the table {write.table!r}" if write.table != UNKNOWN_TABLE else "a table"
        text = (
            f"A read of the replica {alias!r} would miss what was written before it.\n"
            f"  written: {short_line(write.line)} ({what})\n"
            f"  read:    {short_line(calling_line())}\n"
            f"  why:     {_why(unit)}"
        )
        self.stale_reads.append(text)
        return StaleReadError(text)


class LagMixin:
    """Gives a test case of unittest or Django `self.pindb_lag`, and each test a unit of work of its own.

        class OrderTests(LagMixin, TestCase):
            def test_the_order_is_confirmed(self):
                self.pindb_lag.hold()
                self.client.post("/orders/", {"total": "7.50"})

    `self.pindb_lag` is a `Lag`. The mixin comes first among the bases.
    """

    pindb_lag: Lag

    def run(self, result: Any = None) -> Any:
        """Run the test with replicas that lag."""
        with pinning_context():
            return super().run(result)  # type: ignore[misc]

    def setUp(self) -> None:
        """Make the lag, which begins with `hold()`."""
        super().setUp()  # type: ignore[misc]
        self.pindb_lag = Lag().__enter__()
        self.addCleanup(self.pindb_lag.check)  # type: ignore[attr-defined]
        self.addCleanup(self.pindb_lag.__exit__)  # type: ignore[attr-defined]


def _why(unit: UnitOfWork) -> str:
    if unit.inherited:
        source = f"came with {unit.source}"
    else:  # a request without a cookie, a message that pins nothing
        source = "came without pins" if str(unit.source) else "was opened without a carrier"
    pins = ", ".join(sorted({*unit.newly_pinned, *unit.held_pins, *unit.awaiting_position})) or "nothing"
    return f"the reading unit of work {source}, and has pinned {pins}"


def _touches(sql: str, table: str) -> bool:
    if table == UNKNOWN_TABLE:
        return True
    return re.search(rf"""(?<![\w"`.])["`]?{re.escape(table)}["`]?(?!\w)""", sql) is not None


def _in_own_atomic(alias: str, _key: object) -> bool:
    """Do what `in_atomic` does, but for the transactions in which Django's `TestCase` wraps its tests."""
    try:
        block = outermost_block(connections[alias])
    except ConnectionDoesNotExist:
        return False
    return block is not None and block is not TESTCASE
