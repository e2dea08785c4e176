"""What the demo and the journeys print: how far they are, tables, and an end after Ctrl-C that tells the truth."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO


class Progress:
    """One line that counts up on a terminal, and is printed when it is complete elsewhere."""

    def __init__(self, title: str, what: str = "requests", to: TextIO | None = None) -> None:
        self.title = title
        self.what = what
        self.to = to or sys.stdout

    def __call__(self, done: int, of: int) -> None:
        """Show how far the round is."""
        line = f"{self.title}: {done} of {of} {self.what}"
        if self.to.isatty():
            print(f"\r{line}", end="" if done < of else "\n", flush=True, file=self.to)
        elif done == of:
            print(line, flush=True, file=self.to)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows with their first cells to the left and the numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *numbers in rows:
        cells = [first.ljust(widths[0])]
        cells += [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        print("   ".join(cells).rstrip())


def wait_for_processes() -> None:
    """Wait for those that still end: a Ctrl-C during a `stop()` interrupts the waiting, not the stopping."""
    with suppress(ChildProcessError, KeyboardInterrupt):
        while True:
            os.wait()
