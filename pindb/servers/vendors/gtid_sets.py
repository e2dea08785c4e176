"""MySQL's GTID sets as positions: which transactions a server has executed.

A set names, for each server that ever was the master, intervals of transaction numbers: `uuid:1-57:60-61`. Each
interval is a log of its own. It is named by the server's UUID, a tag if the transactions have one, and the number that
the interval begins with, unless that is 1; the offset is the number that it ends with. So a position asks for a whole
interval, and a replica that has transaction 57 but lacks 56 has not replayed it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple
from uuid import UUID

from pindb.core.pins import PinnedPosition, Position

LOG: Final = re.compile(r"(g[\w-]{22}(?:\.\w+)?)(?:-([0-9a-f]+))?", re.ASCII)
"""The name of a log: its source, that is UUID and tag, and the first number in hex."""

MAX_LOGS: Final = 4
"""So many logs of one master fit into a message, beside those of other DB sets: each takes about 45 bytes."""

MAX_NAME: Final = 48
"""The longest name of a log in a message."""


class Interval(NamedTuple):
    """The transactions `first` to `last` of one source."""

    source: str
    first: int
    last: int

    @property
    def log(self) -> str:
        return self.source if self.first == 1 else f"{self.source}-{self.first:x}"


class Executed(Mapping[str, int]):
    """What a replica has executed, as a position.

    It answers for the name of any log of MySQL's, also for one that begins within an interval: with 0 where it lacks
    the first transaction.
    """

    def __init__(self, logs: list[Interval]) -> None:
        self._intervals: dict[str, list[Interval]] = {}
        for interval in logs:
            self._intervals.setdefault(interval.source, []).append(interval)

    def __getitem__(self, log: str) -> int:
        match = LOG.fullmatch(log)
        if match is None:
            raise KeyError(log)
        source, first = match[1], int(match[2] or "1", 16)
        return next((each.last for each in self._intervals.get(source, ()) if each.first <= first <= each.last), 0)

    def __iter__(self) -> Iterator[str]:
        return (each.log for source in self._intervals.values() for each in source)

    def __len__(self) -> int:
        return sum(map(len, self._intervals.values()))


def intervals(text: str) -> Iterator[Interval]:
    """Produce the intervals of a set as MySQL prints it: `uuid:1-5:7:tag:1-2, uuid:1`."""
    for of_one_server in filter(None, map(str.strip, text.split(","))):
        uuid, *parts = of_one_server.split(":")
        source = source_of(uuid)
        for part in parts:
            if part[0].isdigit():
                first, _, last = part.partition("-")
                yield Interval(source, int(first), int(last or first))
            else:
                source = f"{source_of(uuid)}.{part}"


def source_of(uuid: str) -> str:
    """Return how the logs of this server are called."""
    return "g" + base64.urlsafe_b64encode(UUID(uuid).bytes).decode().rstrip("=")


def of_server(interval: Interval, source: str) -> bool:
    """Return whether `source` has written `interval`, with a tag or without."""
    return interval.source.partition(".")[0] == source


def fits(logs: list[Interval]) -> bool:
    """Return whether a message can carry these logs."""
    return len(logs) <= MAX_LOGS and all(len(each.log) <= MAX_NAME for each in logs)


def position_of(logs: list[Interval]) -> Position:
    """Return what a message carries of these logs: nothing if they do not fit."""
    return {each.log: each.last for each in logs} if fits(logs) else {}


def as_text(pinned: PinnedPosition) -> str | None:
    """Return the set that `pinned` asks for, as MySQL reads it; None for a position of another vendor."""
    match = LOG.fullmatch(pinned.log)
    if match is None:
        return None
    source, _, tag = match[1].partition(".")
    uuid = UUID(bytes=base64.urlsafe_b64decode(source[1:] + "=="))
    return f"{uuid}:{tag + ':' if tag else ''}{int(match[2] or '1', 16)}-{pinned.offset}"
