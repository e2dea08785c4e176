"""The code blocks of `docs/guides` that quote a project's file. `python -m tests.guides.pages` writes them anew.

In a file a region stands between `# begin NAME` and `# end NAME`; in a page its block follows a comment of this form:

    <!-- from tests/guides/multidb/after/shop.py: views -->
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/guides").glob("*.md"))
QUOTE = re.compile(r"(^( *)<!-- from (\S+): (\S+) -->\n *```python\n)(.*?)(^ *```$)", re.MULTILINE | re.DOTALL)


NAMES = (
    (r"tests\.guides\.not_ours\.after\b", "replicas"),
    (r"tests\.guides\.not_ours\.theirs\.defaults\b", "theirs.settings"),
    (r"tests\.guides\.not_ours\.theirs\b", "theirs"),
    (r"tests\.guides\.not_ours\.guarded(?!\.(early|urls))\b", "masters"),
    (r"tests\.guides\.(orders|\w+\.(before|after|guarded|posts))\b", "shop"),
)
"""What the packages are called in the pages."""


def region(path: str, name: str) -> str:
    """Return what a file has between `# begin NAME` and `# end NAME`, as the pages show it.

    That is without indentation and comments for linters, and with the names of packages that a reader has.
    """
    found = re.search(rf"^ *# begin {name}\n(.*?)^ *# end {name}$", (ROOT / path).read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"{path} has no region {name!r}")
    text = re.sub(r"  # (noqa|fmt|type):[^\n]*", "", textwrap.dedent(found[1])).strip() + "\n"
    for pattern, shown in NAMES:
        text = re.sub(pattern, shown, text)
    return text


def quotes(page: Path) -> Iterator[tuple[str, str, str]]:
    """Produce the path, the region and the text of each block of `page` that quotes a file."""
    for _, _, path, name, text, _ in QUOTE.findall(page.read_text()):
        yield path, name, textwrap.dedent(text)


def filled(text: str) -> str:
    """Return a page's text with each quoting block as its file has it."""
    return QUOTE.sub(lambda match: f"{match[1]}{textwrap.indent(region(match[3], match[4]), match[2])}{match[6]}", text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text()))
