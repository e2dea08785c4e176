"""The documentation site: `make docs` builds it, with warnings as errors."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent

# What autodoc imports reads settings.
settings.configure(SECRET_KEY="docs", MASTER_DATABASES={"default": {}}, DATABASE_SETS={"default": []})  # noqa: S106
django.setup()

project = "pindb"
author = "the pindb contributors"
project_copyright = author
version = release = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]

html_theme = "furo"
html_title = f"pindb {version}"
html_baseurl = os.environ.get("READTHEDOCS_CANONICAL_URL", "")
html_copy_source = html_show_sphinx = False

myst_heading_anchors = 4  # links to headings are those that GitHub has
highlight_language = "none"  # of blocks that name none
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True

default_role = "literal"  # in docstrings: `name`
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "imported-members": True}

linkcheck_timeout = 20

PAGES_OUTSIDE = {
    ROOT / "README.md": "index.md",
    ROOT / "CHANGELOG.md": "changelog.md",
    ROOT / "CONTRIBUTING.md": "contributing.md",
    ROOT / "SECURITY.md": "security.md",
}
"""Files that the site includes in a page of its own. Links to the file lead there."""

LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)((?:#[^)\s]*)?)\)")


def adapt_links(text: str, file: Path, page: Path) -> str:
    """Return the text of `file`, which is shown on `page`, with its relative links as the site needs them."""

    def adapt(link: re.Match[str]) -> str:
        target = (file.parent / link[1]).resolve()
        if target in PAGES_OUTSIDE:
            target = DOCS / PAGES_OUTSIDE[target]
        return f"]({os.path.relpath(target, page.parent)}{link[2]})"

    return LINK.sub(adapt, text)


def on_source(app: Sphinx, page: str, source: list[str]) -> None:
    """Adapt the links of a page."""
    path = Path(app.env.doc2path(page))
    source[0] = adapt_links(source[0], path, path)


def on_include(app: Sphinx, file: Path, page: str, source: list[str]) -> None:
    """Adapt the links of a file that a page includes."""
    source[0] = adapt_links(source[0], (DOCS / file).resolve(), Path(app.env.doc2path(page)))


def on_docstring(_app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Show what a docstring indents as Python: docstrings need no markup of Sphinx for their examples."""
    starts = [n for n, (before, line) in enumerate(pairwise(["", *lines])) if line.startswith("    ") and not before]
    inside = [n for n in starts if any(lines[: n - 1]) and not _continues(lines[: n - 1])]
    for number in reversed(inside):
        lines[number:number] = [".. code-block:: python", ""]


def _continues(before: list[str]) -> bool:
    """Return whether the line above the blank ones is of the same example."""
    return next(line for line in reversed(before) if line).startswith("    ")


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("source-read", on_source)
    app.connect("include-read", on_include)
    app.connect("autodoc-process-docstring", on_docstring)
