"""What people look for on the package's page: links that work there, versions that CI runs, a changelog."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

from tests.install.__main__ import ENVIRONMENTS

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
CI = (ROOT / ".ci/run").read_text()
POLICY = (ROOT / "docs/policy.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()

Row = tuple[str, ...]


def support_table() -> list[Row]:
    """Return its rows: Python, Django, Celery, Dramatiq, and whether CI runs all tests with them."""
    rows = re.findall(r"^\| ([\d.]+) \| ([\d.]+) \| (\S+) \| (\S+) \| (all)?", POLICY, re.MULTILINE)
    assert rows
    return rows


def run_by_ci() -> list[Row]:
    """Return the same of `.ci/run`."""
    against = dict(re.findall(r'on_wheel (3\.\d+) PYTHON=[^\n]+(?:\\\n[^\n]+)?AGAINST="([^"]+)"', CI))
    runs = [(version, wanted, "") for version, wanted in against.items()]
    (newest,) = re.findall(r"^newest=\$\(python_of (\S+)\)", CI, re.MULTILINE)
    (wanted,) = re.findall(r'^make check PYTHON="\$newest" .*AGAINST="([^"]+)"', CI, re.MULTILINE)
    return sorted([*(_row(*run) for run in runs), _row(newest, wanted, "all")])


def _row(python: str, against: str, everything: str) -> Row:
    versions = dict(re.findall(r"(\w+)~=(\d+\.\d+)", against))
    return python, *(versions.get(name, "newest") for name in ("django", "celery", "dramatiq")), everything


def classified(what: str) -> set[str]:
    return {found[1] for line in PROJECT["classifiers"] if (found := re.fullmatch(rf"{what} :: (\d\.\d+)", line))}


def test_ci_runs_the_support_table() -> None:
    assert support_table() == run_by_ci()
    on_wheel = {row[0] for row in run_by_ci() if not row[-1]}
    assert on_wheel == set(re.findall(r"^on_wheel (3\.\d+) test-only", CI, re.MULTILINE))


def test_ci_runs_each_version_in_the_classifiers_and_the_oldest_that_may_be_installed() -> None:
    rows = support_table()
    assert {row[0] for row in rows} == classified("Programming Language :: Python")
    assert {row[1] for row in rows} == classified("Framework :: Django")
    oldest = rows[0]
    assert PROJECT["requires-python"] == f">={oldest[0]}"
    assert PROJECT["dependencies"] == [f"Django>={oldest[1]}"]
    assert f"celery>={oldest[2]}" in PROJECT["optional-dependencies"]["celery"]
    assert f"dramatiq>={oldest[3]}" in PROJECT["optional-dependencies"]["dramatiq"]


def test_the_wheel_is_tried_with_each_extra_alone() -> None:
    tried = {extra for each in ENVIRONMENTS for extra in each.extra.strip("[]").split(",")}
    assert tried == {"", *PROJECT["optional-dependencies"]}


def test_the_page_of_the_package_has_the_readme_with_links_that_work_there() -> None:
    """pindb's own metadata, as they were built when it was installed."""
    metadata = importlib.metadata.metadata("pindb")
    page = metadata["Description"] or str(metadata.get_payload())
    links = re.findall(r"""\]\(([^)]+)\)|(?:src|href)=["']([^"']+)""", page)
    assert len(links) > 10
    assert [link for link in map("".join, links) if not re.match("[a-z]+:|#", link)] == []
    files = {link for link in map("".join, links) if PROJECT["urls"]["Source"] in link}
    prefix = f"{PROJECT['urls']['Source']}/blob/v{PROJECT['version']}/"
    for link in files:
        assert (ROOT / link.removeprefix(prefix).partition("#")[0]).is_file(), link


@pytest.mark.parametrize("name", ["Documentation", "Source", "Issues", "Changelog"])
def test_the_page_of_the_package_names_what_people_look_for(name: str) -> None:
    assert re.match(r"https://\S+$", PROJECT["urls"][name])


def test_the_changelog_begins_with_this_version_and_each_version_has_its_upgrade_notes() -> None:
    heading = r"^## (\S+) \((?:unreleased|\d{4}-\d\d-\d\d)\)\n"
    versions = re.findall(rf"{heading}(.*?)(?=^## |\Z)", CHANGELOG, re.MULTILINE | re.DOTALL)
    assert versions[0][0] == PROJECT["version"]
    for version, text in versions:
        assert re.search("^### Upgrade", text, re.MULTILINE), version
