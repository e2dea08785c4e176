"""`Messages`: which messages the broker has accepted, and which of them no worker has done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class Messages:
    """What `store/messages.py` records in a file, as far as it was read."""

    def __init__(self, path: Path, *, loses: tuple[str, ...] = ()) -> None:
        self.accepted: set[str] = set()
        self.received: set[str] = set()
        """By a worker of Celery."""
        self.done: set[str] = set()
        self.refused = 0
        """Messages whose sender was told that they were not sent."""
        self._loses = loses
        self._lines = new_lines(path)

    def read(self) -> None:
        """Read what is new."""
        for line in next(self._lines):
            what, _, name = line.partition(" ")
            if what == "refused":
                self.refused += 1
            else:
                getattr(self, what).add(name)

    @property
    def waiting(self) -> set[str]:
        """The messages that no worker has done yet: in the end, those that are lost."""
        return self.accepted - self.done

    @property
    def unexplained(self) -> set[str]:
        """Those of the messages that wait which the broker does not lose by itself."""
        return {name for name in self.waiting if not name.startswith(self._loses)}

    def lost(self) -> list[str]:
        """Return the messages that no worker has done, in words."""
        return [f"{name} was {'' if name in self.received else 'not '}received" for name in sorted(self.waiting)]


def new_lines(path: Path) -> Iterator[list[str]]:
    """Produce the lines that have come to the file since the last time, again and again. It need not exist yet."""
    offset = 0
    while True:
        lines: list[str] = []
        if path.exists():
            with path.open("rb") as file:
                file.seek(offset)
                text, newline, _ = file.read().rpartition(b"\n")
            offset += len(text) + len(newline)
            lines = text.decode().splitlines()
        yield lines
