"""The model's database servers: a master's log, and how far each server has replayed it. Values, which never change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

MAX_LAG = 15
"""Seconds: where pins are timed, no replica lags more than `PINDB_PINNING_SECONDS`. That is the documented limit."""


class Entry(NamedTuple):
    """A committed write in the log."""

    write: str
    timeline: int
    offset: int
    at: float


class Server(NamedTuple):
    """How far one server is. The first one begins as the master."""

    timeline: int = 1
    offset: int = 0
    floor: int = 0
    """Where it is at least after a crash."""
    named: int = 1
    """The timeline that its control file names, which may be an old one."""
    starts: int = 0
    """How often it was started: no connection outlives that."""


class Servers(NamedTuple):
    """All servers of a DB set. A failover makes another one the master, and the old one is gone for good."""

    all: tuple[Server, ...]
    master: int = 0
    forks: tuple[int, ...] = ()
    """Where each later timeline has left the one before."""
    log: tuple[Entry, ...] = ()

    def replica_numbers(self) -> Iterator[int]:
        return (number for number in range(1, len(self.all)) if number != self.master)

    def written(self) -> Server:
        return self.all[self.master]

    def fork_between(self, timeline: int, later: int) -> int:
        return min(self.forks[timeline - 1 : later - 1])

    def visible(self, number: int) -> frozenset[str]:
        """Return the writes that a query at a server sees."""
        server = self.all[number]
        seen = set()
        for entry in self.log:
            limit = server.offset
            if entry.timeline < server.timeline:
                limit = min(limit, self.fork_between(entry.timeline, server.timeline))
            if entry.timeline <= server.timeline and entry.offset <= limit:
                seen.add(entry.write)
        return frozenset(seen)

    def replace(self, number: int, **changes: int) -> Servers:
        servers = list(self.all)
        servers[number] = servers[number]._replace(**changes)
        return self._replace(all=tuple(servers))

    def commit(self, writes: tuple[str, ...], now: float) -> Servers:
        """Append `writes`, of one transaction, to the master's log."""
        master = self.written()
        offset = master.offset + 1
        entries = tuple(Entry(write, master.timeline, offset, now) for write in writes)
        return self.replace(self.master, offset=offset)._replace(log=self.log + entries)

    def replay(self, number: int) -> Servers | None:
        """Return the servers after one more step of a replica towards the master; None if there is none."""
        replica, master = self.all[number], self.written()
        if replica.timeline < master.timeline:
            fork = self.fork_between(replica.timeline, master.timeline)
            if replica.offset <= fork:
                return self.replace(number, timeline=master.timeline)
            # It has what the new master lacks, so it is rebuilt.
            return self.replace(number, timeline=master.timeline, offset=fork, floor=fork, starts=replica.starts + 1)
        if replica.offset < master.offset:
            return self.replace(number, offset=replica.offset + 1, floor=replica.offset)
        return None

    def caught_up(self, number: int, due: frozenset[str]) -> Servers:
        """Return the servers once a replica shows the writes `due`."""
        servers = self
        while not due <= servers.visible(number) and (further := servers.replay(number)) is not None:
            servers = further
        return servers

    def crash(self, number: int) -> Servers | None:
        """Return the servers after a replica was killed and started again: it may be older than before, for a while."""
        replica = self.all[number]
        if replica.floor == replica.offset:
            return None
        return self.replace(number, offset=replica.floor, starts=replica.starts + 1, named=replica.timeline)

    def write_control_file(self, number: int) -> Servers | None:
        replica = self.all[number]
        return self.replace(number, named=replica.timeline) if replica.named < replica.timeline else None

    def fail_over(self, number: int) -> Servers | None:
        """Return the servers after a replica, one on the master's timeline, was promoted, the master being dead.

        A dead master that was a replica once, before an earlier failover, is rebuilt as one.
        """
        replica, dead = self.all[number], self.written()
        if replica.timeline < dead.timeline:
            return None
        later, fork = replica.timeline + 1, replica.offset
        servers = self.replace(number, timeline=later, named=later)
        if self.master:
            rebuilt = {"timeline": later, "named": later, "offset": fork, "floor": fork, "starts": dead.starts + 1}
            servers = servers.replace(self.master, **rebuilt)
        return servers._replace(master=number, forks=(*self.forks, fork))

    def within_lag(self, now: float) -> Servers:
        """Return the servers at a later time, when no replica lags more than `MAX_LAG`."""
        servers = self
        old = frozenset(entry.write for entry in self.log if entry.at <= now - MAX_LAG)
        due = old & self.visible(self.master)
        for number in self.replica_numbers():
            servers = servers.caught_up(number, due)
        return servers
