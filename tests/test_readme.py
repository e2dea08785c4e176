"""The README holds: its settings work, its commands and links exist; and docs/settings.md names every setting."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from django.test import override_settings

import pindb
from pindb.config import settings as pindb_settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CHECKS = (ROOT / "docs" / "checks.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for its_language, text in found if its_language == language]


def test_the_table_of_settings_has_each_setting_and_its_default() -> None:
    rows = dict(re.findall(r"^\| `(PINDB_\w+)` \| (.+?) \|", SETTINGS, re.MULTILINE))
    assert set(rows) == pindb_settings.NAMES
    defaults = pindb_settings.Settings()
    for name, default in rows.items():
        if not default.startswith("`SESSION_"):
            value = getattr(defaults, name.removeprefix("PINDB_").lower())
            if default.startswith("`pindb."):
                assert getattr(pindb, default.strip("`").removeprefix("pindb.")) == value
                continue
            assert default.strip("`").replace("[]", "()").replace('"', "'") == repr(value)


def test_the_labels_of_tables_that_are_treated_apart_are_listed() -> None:
    text = (ROOT / "docs/tables.md").read_text()
    for name in ("SEPARATE_PINS", "MASTER_ONLY"):
        (row,) = re.findall(rf"^\| `PINDB_{name}` \| (`.+) \|$", text, re.MULTILINE)
        assert tuple(re.findall(r"`(\w+)`", row)) == getattr(pindb, name)


def test_the_tables_of_checks_have_each_id_once() -> None:
    rows = re.findall(r"^\| `(pindb\w*\.[EWI]\d{3})` \| .{20,} \| .+ \|$", CHECKS, re.MULTILINE)
    code = [path.read_text() for path in ROOT.glob("pindb*/**/*.py")]
    given = {id_ for text in code for id_ in re.findall(r'id="(pindb\.[EWI]\d{3})"', text)}
    assert sorted(rows) == sorted({*given, "pindb_dramatiq.W001", "pindb_dramatiq.W002"})


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_the_quickstarts_settings_work() -> None:
    (text,) = [block for block in blocks("python") if block.startswith("# settings.py")]
    names: dict[str, object] = {}
    exec(text, names)
    changed = {name: value for name, value in names.items() if name.isupper() and "DATABASE" in name}
    with override_settings(**changed, PINDB_DELEGATE_ROUTERS=[]):
        assert pindb.get_replica("default") in {"default-1", "default-2"}


def test_its_functions_are_public() -> None:
    names = set(re.findall(r"pindb\.([a-z_]+)\(", README))
    assert names
    for name in names:
        assert name in pindb.__all__, name


def heading_ids(page: Path) -> set[str]:
    """Return the ids that GitHub gives to the headings of `page`."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_relative_links_lead_to_pages_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.is_file(), link
        assert not heading or heading in heading_ids(target), link


def test_the_commands_exist() -> None:
    commands = [line for block in blocks("") for line in block.splitlines() if line.startswith("make ")]
    assert commands == ["make demo", "make test"]
    for command in [*commands, "make bench", "make check"]:
        done = subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_page_of_reasons_has_each_reason_once_and_in_order() -> None:
    headings = re.findall(r"^### `(.+)`$", (ROOT / "docs" / "reasons.md").read_text(), re.MULTILINE)
    assert headings == [reason.value for reason in pindb.Reason]
