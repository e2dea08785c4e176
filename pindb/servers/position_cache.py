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
"""For how long an answer is believed. A server may come back with older data at the same address, which takes a while;
asking again costs nothing where positions move, for a higher one is asked for anyway."""

LINE_SECONDS: Final = 60.0
"""The same for the sources of a master, which a failover changes."""

CACHE_SIZE: Final = 1000


class Memory:
    """Shared by all threads: each step is one operation on a built-in dict."""

    def __init__(self) -> None:
        self._links: Final[WeakKeyDictionary[Any, tuple[float, ReplicaPosition]]] = WeakKeyDictionary()
        self._servers: Final[dict[tuple[str, str], tuple[float, ReplicaPosition]]] = {}
        self._lines: Final[dict[str, tuple[float, frozenset[str]]]] = {}
        self._missed: Final[dict[tuple[str, str], int]] = {}

    def learn(self, alias: str, link: object, address: str | None, answer: ReplicaPosition) -> None:
        """Remember what the server of `alias` at the other end of `link`, a driver's connection, has answered."""
        # The latest answer, not the highest: what goes back has been rebuilt.
        entry = (time.monotonic(), answer)
        self._links[link] = entry
        if address is not None:
            if len(self._servers) >= CACHE_SIZE:
                self._servers.clear()
            # One that is not its own: kept all the same, as an alias that leads to who knows where.
            self._servers[alias, address] = entry if answer.server == address else (entry[0], ReplicaPosition({}))

    def beyond(
        self, alias: str, link: object, address: str | None, positions: Iterable[PinnedPosition]
    ) -> ReplicaPosition | None:
        """Return the answer by which the server at the other end of `link` is beyond `positions`, None without one."""
        entries = (self._links.get(link), None if address is None else self._servers.get((alias, address)))
        return next((entry[1] for entry in entries if entry is not None and _is_beyond(entry, positions)), None)

    def all_beyond(self, master: str, replicas: Iterable[str], pinned: PinnedPosition) -> bool:
        """Return whether every server of all `replicas`, wherever they have led, is known to be beyond `pinned`."""
        believed, sources = self.line(master)
        current = believed and pinned.log in sources
        servers = list(self._servers.items())
        for alias in replicas:
            entries = [entry for (owner, _dialled), entry in servers if owner == alias]
            if not entries or not all(
                _is_beyond(entry, [pinned]) and (entry[1].timeline_confirmed or current) for entry in entries
            ):
                return False
        return True

    def learn_line(self, master: str, position: Position) -> None:
        """Remember which sources the position of `master` has now."""
        self._lines[master] = (time.monotonic(), frozenset(position))

    def line(self, master: str) -> tuple[bool, frozenset[str]]:
        """Return whether the last known sources of `master` are still to be believed, and which they were."""
        at, sources = self._lines.get(master, (-LINE_SECONDS, frozenset()))
        return time.monotonic() - at < LINE_SECONDS, sources

    def miss(self, master: str, pinned: PinnedPosition) -> None:
        """Remember a pinned that a replica of `master` had not reached."""
        if len(self._missed) >= CACHE_SIZE:
            self._missed.clear()
        key = (master, pinned.log)
        self._missed[key] = max(pinned.offset, self._missed.get(key, pinned.offset))

    def missed(self, master: str) -> Position:
        """Return the highest positions that replicas of `master` had not reached."""
        return {source: at for (name, source), at in list(self._missed.items()) if name == master}

    def forget(self) -> None:
        self._links.clear()
        self._servers.clear()
        self._lines.clear()
        self._missed.clear()


def _is_beyond(entry: tuple[float, ReplicaPosition], positions: Iterable[PinnedPosition]) -> bool:
    return time.monotonic() - entry[0] < TRUST_SECONDS and has_passed(entry[1].position, positions)


memory: Final = Memory()
