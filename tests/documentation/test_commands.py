"""What the documentation tells people to type exists: commands, options, extras, targets, modules, settings."""

from __future__ import annotations

import re
import shlex
import tomllib

import pytest
from django.core.management import CommandError, get_commands, load_command_class

from pindb.config.settings import NAMES
from tests.documentation.blocks import PAGES, ROOT, blocks_of

OTHERS = {"rqworker": "django_rq"}
"""Commands that no app of the tests' settings has, and the app that has them."""

TEXTS = {str(page.relative_to(ROOT)): page.read_text() for page in PAGES}


def code_of(page: str) -> list[str]:
    """Return what a page shows as code and a shell would run: spans, and the lines of blocks that are no Python."""
    lines = [
        line.removeprefix("$ ")
        for block in blocks_of(ROOT / page)
        if block.language in {"", "console"}
        for line in block.text.splitlines()
    ]
    return [*lines, *re.findall(r"`([^`\n]+)`", TEXTS[page])]


def found(pattern: str) -> list[tuple[str, str]]:
    """Return each page with each text of a command on it."""
    found = {(page, match[1].strip()) for page in TEXTS for code in code_of(page) if (match := re.match(pattern, code))}
    return sorted(found)


@pytest.mark.parametrize(("page", "command"), found(r"(?:python )?manage\.py ((?:(?!\s{2}|\s#).)+)"))
def test_a_command_of_django_exists_with_the_options_shown(page: str, command: str) -> None:
    name, *arguments = shlex.split(re.sub(r"--database \S+", "--database default", command))
    app = OTHERS.get(name) or get_commands().get(name)
    assert app, f"{page}: there is no command {name}"
    parser = load_command_class(str(app), name).create_parser("manage.py", name)
    try:
        parser.parse_args(arguments)
    except (CommandError, SystemExit) as error:
        pytest.fail(f"{page}: manage.py {command}: {error}")


@pytest.mark.parametrize(("page", "command"), found(r"(?:\w+=\S+ )*make ([a-z].*)"))
def test_a_target_and_its_variables_are_in_the_makefile(page: str, command: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    target, *others = command.split()
    assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), f"{page}: make {target}"
    for variable in (name for name, is_set, _ in (word.partition("=") for word in others) if is_set and name.isupper()):
        assert re.search(rf"^{variable} \?=", makefile, re.MULTILINE), f"{page}: make {command}"


@pytest.mark.parametrize("page", TEXTS)
def test_extras_exist(page: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {extra for names in re.findall(r"\bpindb\[([\w,]+)\]", TEXTS[page]) for extra in names.split(",")}
    assert extras <= set(project["optional-dependencies"])


@pytest.mark.parametrize("page", TEXTS)
def test_programs_and_files_of_the_project_exist(page: str) -> None:
    for module in re.findall(r"python -m ((?:tests|pindb)[\w.]*\w)", TEXTS[page]):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
    for path in re.findall(r"`((?:tests|pindb(?:_\w+)?|docs)/[\w/.]+)`", TEXTS[page]):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", TEXTS)
def test_settings_exist(page: str) -> None:
    named = set(re.findall(r"\bPINDB_[A-Z_]*[A-Z](?![A-Z_]|\*)", TEXTS[page]))
    assert {name for name in named if not name.startswith("PINDB_TEST_")} <= NAMES


@pytest.mark.parametrize("page", TEXTS)
def test_adapters_of_other_queues_exist(page: str) -> None:
    for module, name in re.findall(r"\bpindb\.contrib\.(\w+)\.(\w+)", TEXTS[page]):
        text = (ROOT / "pindb" / "contrib" / f"{module}.py").read_text()
        assert re.search(rf"^(class|def) {name}\b", text, re.MULTILINE), f"pindb.contrib.{module}.{name}"


def test_every_block_is_of_a_language_that_a_test_reads() -> None:
    """Python is type-checked, commands are looked up here, the build of the site reads directives.

    SQL and the configuration of other programs are shown as they are.
    """
    languages = {block.language for page in PAGES for block in blocks_of(page) if not block.language.startswith("{")}
    assert languages <= {"python", "console", "", "sql", "ini"}
