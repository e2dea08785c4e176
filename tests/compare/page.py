"""Where the docs show the figures: between two markers, in the README and on the page of the comparison."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"
PAGE: Final = ROOT / "docs" / "comparison.md"
PICTURE: Final = ROOT / "docs" / "images" / "compare.png"


def write(page: Path, name: str, conditions: str, table: str) -> None:
    """Put `conditions` and `table` between the markers of `name`; raise `ValueError` if the page does not have them."""
    begin, end = f"<!-- {name} -->\n", "<!-- end -->\n"
    text, count = re.subn(
        f"({re.escape(begin)}).*?({re.escape(end)})",
        lambda found: f"{found[1]}{conditions}\n\n```\n{table}```\n{found[2]}",
        page.read_text(),
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{page} has {count} pairs of markers {begin.strip()} and {end.strip()}, and needs one.")
    page.write_text(text)
