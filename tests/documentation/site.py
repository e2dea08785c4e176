"""`python -m tests.documentation.site build/docs` checks a built site: `make docs` runs it after Sphinx.

Sphinx has refused broken links, anchors and pages without a place in the menu by then. This looks at what Sphinx does
not know: what people search for, and which names are public.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from sphinx.search.en import SearchEnglish
from sphinx.util.inventory import InventoryFile

SEARCHES: Final = {
    "pindb_switch": "rollout",
    "PINDB_PINNING_SECONDS": "settings",
    "W023": "checks",
    "chord": "celery",
    "ATOMIC_REQUESTS": "reasons",
    "startproject": "tutorial",
    "unpinned_replica": "reference",
}
"""What people type, and a page that has to be found."""

PUBLIC: Final = (
    "pindb",
    "pindb.middleware",
    "pindb.signals",
    "pindb_celery",
    "pindb_dramatiq",
    "pindb.adapters",
    "pindb.testing",
    "pindb.testing.servers",
)
MODULES: Final = {"adapters", "catching_up", "propagation"}
"""Names in `pindb.__all__` that are modules: they have sections, or are documented in docs/adapters.md."""


class SearchIndex:
    """The index that the site's search reads in the browser."""

    def __init__(self, site: Path) -> None:
        text = (site / "searchindex.js").read_text()
        index: dict[str, Any] = json.loads(text[text.index("(") + 1 : text.rindex(")")])
        self._pages: list[str] = index["docnames"]
        self._terms: list[dict[str, int | list[int]]] = [index["terms"], index["titleterms"]]
        self._stem = SearchEnglish({}).stem

    def pages_with(self, word: str) -> set[str]:
        """Return the pages that the search finds for a word."""
        found = [terms.get(self._stem(word.lower()), []) for terms in self._terms]
        return {self._pages[number] for pages in found for number in ([pages] if isinstance(pages, int) else pages)}


def search_problems(site: Path) -> list[str]:
    """Return what the search does not find."""
    index = SearchIndex(site)
    return [
        f"The search for {word!r} finds {sorted(index.pages_with(word))}, not {page}."
        for word, page in SEARCHES.items()
        if page not in index.pages_with(word)
    ]


def reference_problems(site: Path) -> list[str]:
    """Return the public names that docs/reference.md does not have."""
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    described = {name for kind, names in inventory.data.items() if kind.startswith("py:") for name in names}
    names = {
        f"{module}.{name}"
        for module in PUBLIC
        for name in importlib.import_module(module).__all__
        if name not in MODULES
    }
    page = re.sub(r"<[^>]+>", "", (site / "reference.html").read_text().partition('id="pindbpropagation"')[2])
    names_in_transit = set(importlib.import_module("pindb.propagation").__all__) - set(re.findall(r"\w+", page))
    return [f"docs/reference.md does not have {name}." for name in sorted({*(names - described), *names_in_transit})]


def link_problems(site: Path) -> list[str]:
    """Return the files that pages link to and that are no pages: Sphinx offers them for download."""
    files = sorted(path.name for path in (site / "_downloads").rglob("*") if path.is_file())
    return [f"A page links to {name}, which is no page. Add it to PAGES_OUTSIDE in docs/conf.py." for name in files]


def main(site: Path) -> int:
    """Print where the site is, or its problems; return the exit status."""
    problems = [*search_problems(site), *reference_problems(site), *link_problems(site)]
    print(*problems or [f"Open {(site / 'index.html').resolve().as_uri()}"], sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
