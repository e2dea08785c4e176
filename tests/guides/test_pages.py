"""The guides' pages: what they quote is what was run, their links lead somewhere, and they name what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pindb
from pindb.config import settings as pindb_settings
from tests.guides.pages import PAGES, ROOT, filled, quotes
from tests.test_readme import heading_ids

EACH = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
WITH_PROJECT = {
    "multidb", "replicated", "own-router", "workers-on-master", "from-0.1.12", "sqs", "asgi",
    "adopting-without-the-source",
}  # fmt: skip


@EACH
def test_the_blocks_that_quote_a_file_are_what_it_has(page: Path) -> None:
    assert page.read_text() == filled(page.read_text()), "type: python -m tests.guides.pages"


@pytest.mark.parametrize("name", sorted(WITH_PROJECT))
def test_a_guide_with_a_project_quotes_it(name: str) -> None:
    assert list(quotes(ROOT / f"docs/guides/{name}.md"))


@EACH
def test_its_relative_links_lead_to_pages_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.is_file(), link
        assert not heading or heading in heading_ids(target), link


@EACH
def test_what_it_names_of_pindb_exists(page: Path) -> None:
    text = page.read_text()
    assert set(re.findall(r"\bPINDB_[A-Z_]+[A-Z]\b", text)) - OF_OTHERS <= pindb_settings.NAMES
    assert set(re.findall(r"\bpindb\.([a-z]\w*)\(", text)) <= set(pindb.__all__)
    ids = set(re.findall(r"\b([EWI]0\d\d)\b", text))
    assert ids <= set(re.findall(r"`pindb\.([EWI]\d{3})`", (ROOT / "docs/checks.md").read_text()))


OF_OTHERS = {"PINDB_TEST_AMQP"}
