"""The changes of `make mutants` can be made: they change a line that is there, and each guarantee has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.changes import CHANGES, Change

ROOT = Path(__file__).parent.parent.parent


def test_each_guarantee_has_a_line_that_it_needs() -> None:
    assert {change.guarantee for change in CHANGES} == {f"G{number}" for number in range(1, 10)}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_the_line_to_change_is_there_once_and_its_test_exists(change: Change) -> None:
    assert (ROOT / change.file).read_text().count(change.old) == 1
    file, _, test = change.test.partition("::")
    assert f"def {test.partition('[')[0]}(" in (ROOT / "tests" / file).read_text()
