"""How far this process has seen each replica, and on which line each master: most decisions ask nothing.

A position is remembered of a server, not of an alias: behind one host name may be a balancer, and the next connection
may lead to a server that is further behind. Which server a connection leads to is known for as long as it lives; and
for later ones as well, if the server has called the address that was address its own, as none behind a balancer does.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final
from weakref import WeakKeyDictionary

from pindb.core.pins import PinnedPosition, Position
from pindb.servers.vendors.base import ReplicaPosition, has_passed

TRUST_SECONDS: Final = 10.0
"""For how long an answer is fresh. A server may come back with older data at the same address, which takes a while;
asking again costs nothing where positions move, for a higher one is asked for anyway."""

MASTER_LOGS_SECONDS: Final = 60.0
"""The same for the logs of a master, which a failover changes."""

BEHIND_SECONDS: Final = 1.0
"""For how long a replica that was found behind is asked after all others."""

CACHE_SIZE: Final = 1000


class PositionCache:
    """Shared by all threads: each step is one operation on a built-in dict."""

    def __init__(self) -> None:
        self._connections: Final[WeakKeyDictionary[Any, tuple[float, ReplicaPosition]]] = WeakKeyDictionary()
        self._scattered: Final[set[str]] = set()
        self._behind: Final[dict[str, float]] = {}
        self._servers: Final[dict[tuple[str, str], tuple[float, ReplicaPosition]]] = {}
        self._master_logs: Final[dict[str, tuple[float, frozenset[str]]]] = {}
        self._unreached: Final[dict[tuple[str, str], int]] = {}

    def learn(self, alias: str, connection: object, address: str | None, answer: ReplicaPosition) -> None:
        """Remember what the server of `alias` at the other end of `connection`, a driver's connection, has answered."""
        # The latest answer, not the highest: what goes back has been rebuilt.
        entry = (time.monotonic(), answer)
        _, before = self._connections.get(connection, entry)
        if None not in (before.server, answer.server) and before.server != answer.server:
            self._scattered.add(alias)
        self._connections[connection] = entry
        if address is not None:
            if len(self._servers) >= CACHE_SIZE:
                self._servers.clear()
            # One that is not its own: kept all the same, as an alias that leads to who knows where.
            self._servers[alias, address] = entry if answer.server == address else (entry[0], ReplicaPosition({}))

    def note_behind(self, alias: str) -> None:
        """Remember that a replica was just found behind the position that it was asked for."""
        self._behind[alias] = time.monotonic()

    def was_behind(self, alias: str) -> bool:
        """Return whether a replica was found behind a moment ago, so that asking it again would be in vain."""
        return time.monotonic() - self._behind.get(alias, -BEHIND_SECONDS) < BEHIND_SECONDS

    def is_scattered(self, alias: str) -> bool:
        """Return whether several servers have answered on one connection to `alias`: the next read may use any."""
        return alias in self._scattered

    def cached_answer_past(
        self, alias: str, connection: object, address: str | None, positions: Iterable[PinnedPosition]
    ) -> ReplicaPosition | None:
        """Return the cached answer by which the server behind `connection` has passed `positions`; None without one."""
        entries = (self._connections.get(connection), None if address is None else self._servers.get((alias, address)))
        return next(
            (entry[1] for entry in entries if entry is not None and entry[1].direct and _is_past(entry, positions)),
            None,
        )

    def expected_past(self, alias: str, positions: Iterable[PinnedPosition]) -> bool:
        """Return whether every server that `alias` has led to is known to be beyond `positions`.

        A connection that is not open yet may lead to another server still: it has to be looked up again once it is.
        """
        entries = self._entries_of(alias)
        return bool(entries) and all(_is_past(entry, positions) for entry in entries)

    def _entries_of(self, alias: str) -> list[tuple[float, ReplicaPosition]]:
        return [entry for (owner, _dialled), entry in list(self._servers.items()) if owner == alias]

    def every_server_past(self, master: str, replicas: Iterable[str], pinned: PinnedPosition) -> bool:
        """Return whether every server of all `replicas`, wherever they have led, is known to be beyond `pinned`."""
        fresh, logs = self.master_logs(master)
        current = fresh and pinned.log in logs
        for alias in replicas:
            entries = self._entries_of(alias)
            if not entries or not all(
                _is_past(entry, [pinned]) and (entry[1].timeline_confirmed or current) for entry in entries
            ):
                return False
        return True

    def learn_master_logs(self, master: str, position: Position) -> None:
        """Remember which logs the position of `master` has now."""
        self._master_logs[master] = (time.monotonic(), frozenset(position))

    def master_logs(self, master: str) -> tuple[bool, frozenset[str]]:
        """Return whether the last known logs of `master` are still to be fresh, and which they were."""
        learned_at, logs = self._master_logs.get(master, (-MASTER_LOGS_SECONDS, frozenset()))
        return time.monotonic() - learned_at < MASTER_LOGS_SECONDS, logs

    def note_unreached(self, master: str, pinned: PinnedPosition) -> None:
        """Remember a pinned that a replica of `master` had not reached."""
        if len(self._unreached) >= CACHE_SIZE:
            self._unreached.clear()
        key = (master, pinned.log)
        self._unreached[key] = max(pinned.offset, self._unreached.get(key, pinned.offset))

    def unreached(self, master: str) -> Position:
        """Return the highest positions that replicas of `master` had not reached."""
        return {log: offset for (name, log), offset in list(self._unreached.items()) if name == master}

    def forget(self) -> None:
        self._connections.clear()
        self._scattered.clear()
        self._behind.clear()
        self._servers.clear()
        self._master_logs.clear()
        self._unreached.clear()


def _is_past(entry: tuple[float, ReplicaPosition], positions: Iterable[PinnedPosition]) -> bool:
    return time.monotonic() - entry[0] < TRUST_SECONDS and has_passed(entry[1].position, positions)


position_cache: Final = PositionCache()
