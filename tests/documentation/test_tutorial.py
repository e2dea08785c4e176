"""The tutorial: every file on the page is written, every command is typed, and prints what the page shows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.documentation.blocks import ROOT
from tests.documentation.reader import Reader
from tests.documentation.session import is_shown_in, steps_of
from tests.services import missing

PAGE = ROOT / "docs" / "tutorial.md"


@pytest.mark.heavy
def test_the_tutorial_works_as_it_stands(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        missing("curl is not installed.")
    with Reader(tmp_path) as reader:
        for step in steps_of(PAGE):
            reader.do(step)


def test_dots_stand_for_anything_and_nothing_else_does() -> None:
    assert is_shown_in("a ... c\n", "x\na b\nb c\n")
    assert not is_shown_in("order 1 of 1", "order 1 of 0\n")
    assert not is_shown_in("a.c", "abc")
