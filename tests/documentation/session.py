"""A page as a reader works through it: files that are written, and commands that are typed, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.documentation.blocks import Block, blocks_of

FILE: Final = re.compile(r"# (\S+\.py)(, at the end)?\n")


@dataclass(frozen=True)
class File:
    """A Python block whose first line names a file."""

    block: Block
    path: str
    is_appended: bool

    def write(self, directory: Path) -> None:
        """Write the file, or add to it what the block has."""
        path = directory / self.path
        before = path.read_text() if self.is_appended else ""
        path.write_text(before + self.block.text)


@dataclass(frozen=True)
class Command:
    """A line of a console block that begins with `$`, and what it prints."""

    block: Block
    text: str
    output: str


@dataclass(frozen=True)
class Printed:
    """A block without a language: what a program prints that was started before."""

    block: Block


Step = File | Command | Printed


def steps_of(page: Path) -> Iterator[Step]:
    """Produce what a reader does, in the page's order."""
    for block in blocks_of(page):
        if block.language == "python":
            named = FILE.match(block.text)
            assert named, f"{block.where}:{block.line}: the first line does not name a file"
            yield File(block, named[1], bool(named[2]))
        elif block.language == "console":
            for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
                yield Command(block, command, output)
        else:
            yield Printed(block)


def is_shown_in(shown: str, printed: str) -> bool:
    """Return whether `printed` has the lines that the page shows, "..." in them stands for anything."""
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("..."))
    return re.search(pattern, printed, re.DOTALL) is not None
