"""How far this process has seen each replica, and which logs each master writes: most decisions ask nothing.

The cache remembers the position of a server, not of an alias. Behind one host name may be a balancer, and the next
connection may lead to a server that is further behind. A connection leads to one server for as long as it lives. A
later connection leads to the same server if that server has called the address that was connected to its own: no server
behind a balancer does.

A server that was killed and started again shows older data for a while. So a later connection is only believed to show
the floor that the server has named: it lets nobody in before it has replayed so far again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final
from weakref import WeakKeyDictionary

from pindb.core.pins import PinnedPosition, Position, merge_positions
from pindb.servers.vendors.base import ReplicaPosition, Translation, has_passed

TRUST_SECONDS: Final = 10.0
"""For how long an answer counts. A server may be rebuilt with older data at the same address, which takes a while; and
asking again costs little where positions move, for a higher one has to be asked for anyway."""

MASTER_LOGS_SECONDS: Final = 60.0
"""The same for the logs of a master, which a failover changes."""

BEHIND_SECONDS: Final = 1.0
"""For how long a replica that was found behind is asked after all others."""

CACHE_SIZE: Final = 1000


class PositionCache:
    """Shared by all threads: each step is one operation on a built-in dict."""

    def __init__(self) -> None:
        self._connections: Final[WeakKeyDictionary[Any, tuple[float, ReplicaPosition]]] = WeakKeyDictionary()
        self._first_seen: Final[WeakKeyDictionary[Any, float]] = WeakKeyDictionary()
        self._scattered: Final[set[str]] = set()
        self._behind: Final[dict[str, float]] = {}
        self._servers: Final[dict[tuple[str, str], tuple[float, ReplicaPosition]]] = {}
        self._master_logs: Final[dict[str, tuple[float, frozenset[str]]]] = {}
        self._translations: Final[dict[tuple[str, str], tuple[float, Translation]]] = {}
        self._unreached: Final[dict[tuple[str, str], int]] = {}

    def learn(
        self, alias: str, connection: object, address: str | None, answer: ReplicaPosition, asked_at: float
    ) -> None:
        """Remember what the server of `alias` at the other end of `connection`, a driver's connection, has answered."""
        # The latest answer, not the highest: what goes back has been rebuilt.
        entry = (asked_at, answer)
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
        """Return whether a replica was found behind a moment ago: each read would ask one that lags long in vain."""
        return time.monotonic() - self._behind.get(alias, -BEHIND_SECONDS) < BEHIND_SECONDS

    def is_scattered(self, alias: str) -> bool:
        """Return whether several servers have answered on one connection to `alias`: the next read may use any."""
        return alias in self._scattered

    def cached_answer_past(
        self, alias: str, connection: object, address: str | None, positions: Iterable[PinnedPosition]
    ) -> ReplicaPosition | None:
        """Return the answer by which what `connection` shows is beyond `positions`, None if there is none."""
        first_seen = self._first_seen.setdefault(connection, time.monotonic())
        entry = self._connections.get(connection)
        if entry is not None and entry[1].direct and _is_past(entry, positions):
            return entry[1]
        entry = None if address is None else self._servers.get((alias, address))
        if entry is None:
            return None
        # The server may have been killed and started again between the answer and the opening of the connection. Not if
        # the connection was there before the answer: it would not have outlived that.
        return entry[1] if _is_past(entry, positions, floor=first_seen >= entry[0]) else None

    def last_answer(self, connection: object) -> ReplicaPosition | None:
        """Return what was last answered on `connection`, a driver's."""
        entry = self._connections.get(connection)
        return None if entry is None else entry[1]

    def expected_past(self, alias: str, positions: Iterable[PinnedPosition]) -> bool:
        """Return whether all servers that `alias` has led to are known to show `positions` on a new connection.

        The connection may lead to another server still: it has to be looked up again once it is open.
        """
        entries = self._entries_of(alias)
        return bool(entries) and all(_is_past(entry, positions, floor=True) for entry in entries)

    def _entries_of(self, alias: str) -> list[tuple[float, ReplicaPosition]]:
        return [entry for (owner, _dialled), entry in list(self._servers.items()) if owner == alias]

    def every_server_past(self, master: str, replicas: Iterable[str], pinned: PinnedPosition) -> bool:
        """Return whether every server of all `replicas`, wherever they have led, is known to stay beyond `pinned`.

        That is, also if it is killed and started again.
        """
        fresh, logs = self.master_logs(master)
        meant = self.translated(master, (pinned,))
        current = fresh and all(position.log in logs for position in meant)
        if meant != (pinned,) and not current:
            return False
        for alias in replicas:
            entries = self._entries_of(alias)
            if not entries or not all(
                _is_past(entry, meant, floor=True) and (entry[1].timeline_confirmed or current) for entry in entries
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

    def void_master_logs(self, master: str) -> None:
        """Forget which logs `master` writes: a failover has been noticed."""
        self._master_logs.pop(master, None)

    def learn_translation(self, master: str, log: str, translation: Translation) -> None:
        """Remember what `master` has made of positions in an earlier `log`."""
        if len(self._translations) >= CACHE_SIZE:
            self._translations.clear()
        self._translations[master, log] = (time.monotonic(), translation)

    def can_translate(self, master: str, pinned: PinnedPosition) -> bool | None:
        """Return whether it is known what `pinned` means in the log that `master` writes; None to ask the master."""
        learned_at, translation = self._translations.get((master, pinned.log), (0.0, None))
        if translation is None:
            return None
        if pinned.offset <= translation.limit:
            # Not after another failover: it means a position of yet another log then.
            return True if translation.position.keys() <= self.master_logs(master)[1] else None
        return False if time.monotonic() - learned_at < MASTER_LOGS_SECONDS else None

    def translated(self, master: str, positions: tuple[PinnedPosition, ...]) -> tuple[PinnedPosition, ...]:
        """Return `positions`, those of earlier logs as positions in the log that `master` was last known to write."""
        meant = positions
        for pinned in positions:
            if (master, pinned.log) in self._translations and self.can_translate(master, pinned):
                meant = replaced(meant, pinned, self._translations[master, pinned.log][1].position)
        return meant

    def note_unreached(self, master: str, pinned: PinnedPosition) -> None:
        """Remember a pinned position that a replica of `master` had not reached."""
        if len(self._unreached) >= CACHE_SIZE:
            self._unreached.clear()
        key = (master, pinned.log)
        self._unreached[key] = max(pinned.offset, self._unreached.get(key, pinned.offset))

    def unreached(self, master: str) -> Position:
        """Return the highest positions that replicas of `master` had not reached."""
        return {log: offset for (name, log), offset in list(self._unreached.items()) if name == master}

    def forget(self) -> None:
        self._connections.clear()
        self._first_seen.clear()
        self._scattered.clear()
        self._behind.clear()
        self._servers.clear()
        self._master_logs.clear()
        self._translations.clear()
        self._unreached.clear()


def replaced(
    positions: tuple[PinnedPosition, ...], pinned: PinnedPosition, position: Position
) -> tuple[PinnedPosition, ...]:
    """Return `positions` with `position` in the place of `pinned`."""
    new = tuple(PinnedPosition(log, offset, pinned.expires_at) for log, offset in sorted(position.items()))
    return merge_positions(tuple(other for other in positions if other != pinned), new)


def _is_past(entry: tuple[float, ReplicaPosition], positions: Iterable[PinnedPosition], *, floor: bool = False) -> bool:
    asked_at, answer = entry
    position = answer.floor if floor else answer.position
    return time.monotonic() - asked_at < TRUST_SECONDS and has_passed(position, positions)


position_cache: Final = PositionCache()
