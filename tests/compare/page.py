"""The page in the docs: the table stands between two markers, one pair for each queue and broker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "comparison.md"
PICTURE: Final = DOCS / "images" / "compare.png"


def write_table(queue: str, broker: str, conditions: str, table: str, page: Path = PAGE) -> None:
    """Put the table between its markers; raise `ValueError` if the page has none for this queue and broker."""
    begin, end = f"<!-- compare {queue} {broker} -->\n", "<!-- end -->\n"
    text, count = re.subn(
        f"({re.escape(begin)}).*?({re.escape(end)})",
        lambda found: f"{found[1]}{conditions}\n\n```\n{table}```\n{found[2]}",
        page.read_text(),
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{page} has {count} pairs of markers {begin.strip()} and {end.strip()}, and needs one.")
    page.write_text(text)
