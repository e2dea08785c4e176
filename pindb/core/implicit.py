"""`ImplicitUnitOfWork`: that of a thread or an asyncio task outside all frames. It ends by itself.

A long-living thread would otherwise keep its replica and its pins for ever: the jobs of a scheduler, a thread pool, a
site without the middleware. It ends where Django ends work (`close_old_connections()`, a connection that is closed or
found dead), and `PINDB_PINNING_SECONDS` after its start and its last write. A transaction in which it has written has
to end before. The next one chooses its replica anew, and has the pins of the one before, as if a carrier had handed
them on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, final

from pindb.config.database_sets import DbSet, live
from pindb.config.settings import Settings
from pindb.core.open_writes import OpenWrite
from pindb.core.pins import NOTHING, Origin, PinSet
from pindb.core.transactions import ReplicaUnlessInTransaction, in_transaction
from pindb.core.unit_of_work import FROM_CALLER, UnitOfWork
from pindb.event_loop import loop_is_running

Route = str | ReplicaUnlessInTransaction


@final
class Lease:
    """A cached answer that holds until its unit of work ends."""

    __slots__ = ("route", "unit")

    def __init__(self, route: Route, unit: ImplicitUnitOfWork) -> None:
        self.route: Final = route
        self.unit: Final = unit


class _LeasedRoutes(dict[str, Any]):
    """The cached answers of an implicit unit of work: each is kept as a `Lease`. `get` is the built-in one."""

    __slots__ = ("_unit",)

    def __init__(self, unit: ImplicitUnitOfWork) -> None:
        super().__init__()
        self._unit = unit

    def __setitem__(self, alias: str, route: Route) -> None:
        super().__setitem__(alias, Lease(route, self._unit))

    def setdefault(self, alias: str, route: Any = None) -> Any:
        return super().setdefault(alias, Lease(route, self._unit)).route

    def update(self, routes: Mapping[str, Route]) -> None:  # type: ignore[override]
        super().update({alias: Lease(route, self._unit) for alias, route in routes.items()})


class ImplicitUnitOfWork(UnitOfWork):
    """See above. `ends_at` is in UTC epoch seconds."""

    __slots__ = ("ends_at",)

    def __init__(self, inherited: PinSet = NOTHING) -> None:
        super().__init__(inherited)
        self.aliases = _LeasedRoutes(self)
        self.extend()

    def extend(self) -> None:
        seconds = Settings().pinning_seconds if live.config is None else live.config.settings.pinning_seconds
        self.ends_at = time.time() + seconds

    def has_ended(self) -> bool:
        return time.time() >= self.ends_at and not self.is_in_transaction()

    def cannot_end_here(self) -> bool:
        """Return whether it may not end now: a position has to be asked for, and an event loop's thread cannot."""
        return loop_is_running() and any(server.connections for server in list(self.activity.values()))

    def is_in_transaction(self) -> bool:
        """Return whether it has to last until a transaction ends, in any thread: before, its pins cannot be left.

        What it has written there may yet roll back. And in position mode nobody can be asked for the position of what
        it has written, or read, before.
        """
        return bool(self.open_writes) or any(
            # With autocommit off nobody ever can.
            connection.in_atomic_block or (connection.autocommit and in_transaction(connection))
            for server in list(self.activity.values())
            for connection in list(server.connections)
        )

    def pin(self, db_set: DbSet, *, as_new: bool, origin: Origin | None = None) -> None:
        super().pin(db_set, as_new=as_new, origin=origin)
        self.extend()

    def hold(self, write: OpenWrite) -> None:
        super().hold(write)
        self.extend()

    def absorb(self, new: Any, given: PinSet, origin: Origin = FROM_CALLER) -> None:
        super().absorb(new, given, origin)
        self.extend()

    def routes(self) -> dict[str, Route]:
        return {alias: lease.route for alias, lease in list(self.aliases.items())}  # type: ignore[union-attr]


pins_left_by: Callable[[ImplicitUnitOfWork], PinSet]
"""Returns the pins of the next one in its thread, and may ask the master. `propagation.handoff` defines it."""
