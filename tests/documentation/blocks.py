"""`python -m tests.documentation.blocks` type-checks every Python block of the documentation, in one run of mypy.

A block is what a reader sees: it does not import `Order`, nor make `app`. Such names are in the page's prelude, a
module in `tests/documentation/preludes`: `guides_asgi.py` is that of docs/guides/asgi.md, `common.py` that of a page
without one. Each block becomes a module, whose line numbers are those of the page. An error tells where to look:

    docs/celery.md:27: error: Name "pinnd" is not defined
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PRELUDES: Final = Path(__file__).parent / "preludes"

FENCED: Final = re.compile(r"^( *)```([^`\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)

OPTIONS: Final = (
    "--config-file=",
    f"--cache-dir={ROOT / '.mypy_cache' / 'blocks'}",
    "--check-untyped-defs",
    "--ignore-missing-imports",
    "--disable-error-code=var-annotated",
    "--disable-error-code=top-level-await",
    "--disable-error-code=used-before-def",  # the sender and the receiver of one message have an `order` each
    "--no-error-summary",
    "--hide-error-context",
)
"""Of mypy. Examples have no type hints; what they call has."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    """The number of its first line."""
    language: str
    text: str

    @property
    def where(self) -> str:
        """The page, as one types it."""
        return str(self.page.relative_to(ROOT))

    @property
    def module(self) -> str:
        """The name of the module that it is checked as."""
        return re.sub(r"\W", "_", f"{self.where}_{self.line}")

    @property
    def prelude(self) -> str:
        """The name of the module that has the names which the page does not define."""
        name = re.sub(r"\W", "_", self.where.removeprefix("docs/").removesuffix(".md").lower())
        return name if (PRELUDES / f"{name}.py").is_file() else "common"

    def as_module(self) -> str:
        """Return the text behind its prelude, on the lines that it has on the page."""
        blank = "\n" * (self.line - 1)
        text = self.text.replace("{...,", "{**{},")  # the one shorthand that is no Python: {..., "NAME": "shop"}
        return f"from preludes.{self.prelude} import *{blank}{text}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Produce the fenced blocks of a page."""
    text = page.read_text()
    for found in FENCED.finditer(text):
        first = text.count("\n", 0, found.start(3)) + 1
        yield Block(page, first, found[2], textwrap.dedent(found[3]))


def all_blocks() -> Iterator[Block]:
    """Produce the fenced blocks of all pages."""
    for page in PAGES:
        yield from blocks_of(page)


def type_errors(blocks: Mapping[str, Block]) -> list[str]:
    """Return what mypy says of the blocks, by the names of their modules."""
    with TemporaryDirectory() as directory:
        for name, block in blocks.items():
            (Path(directory) / f"{name}.py").write_text(block.as_module())
        (Path(directory) / "preludes").symlink_to(PRELUDES)
        done = subprocess.run(
            [sys.executable, "-m", "mypy", *OPTIONS, "."],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.stderr:
        return [done.stderr]
    return [_of_page(line, blocks) for line in done.stdout.splitlines()]


def _of_page(line: str, blocks: Mapping[str, Block]) -> str:
    file, _, rest = line.partition(":")
    block = blocks.get(file.removesuffix(".py"))
    return f"{file if block is None else block.where}:{rest}"


def main() -> int:
    """Print the errors, or how many blocks have none; return the exit status."""
    blocks = {block.module: block for block in all_blocks() if block.language == "python"}
    errors = type_errors(blocks)
    print(*errors or [f"Success: no issues found in {len(blocks)} blocks of {len(PAGES)} pages"], sep="\n")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
