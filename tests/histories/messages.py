"""`Messages`: which messages the broker has accepted, and which of them no worker has done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


class Messages:
    """What `store/messages.py` records in a file, as far as it was read."""

    def __init__(self, path: Path) -> None:
        self.accepted: set[str] = set()
        self.done: set[str] = set()
        self.refused = 0
        """Messages whose sender was told that they were not sent."""
        self._lines = new_lines(path)

    def read(self) -> None:
        """Read what is new."""
        for line in next(self._lines):
            what, _, name = line.partition(" ")
            if what == "refused":
                self.refused += 1
            else:
                (self.accepted if what == "accepted" else self.done).add(name)

    @property
    def waiting(self) -> set[str]:
        """The messages that no worker has done yet: in the end, those that are lost."""
        return self.accepted - self.done


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
