"""The walk through the code in CONTRIBUTING.md: each stop is a file and a function that exist."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STOPS = re.findall(
    r"^\|[^|\n]*\| `(pindb\S*\.py)` \| `(\S+)` \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
)


def names_in(tree: ast.AST, prefix: str = "") -> set[str]:
    names: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names |= {f"{prefix}{node.name}", *names_in(node, f"{prefix}{node.name}.")}
    return names


def test_the_walk_has_its_stops() -> None:
    assert len(STOPS) > 20


@pytest.mark.parametrize(("path", "name"), STOPS, ids=[f"{path}-{name}" for path, name in STOPS])
def test_a_stop_of_the_walk_exists(path: str, name: str) -> None:
    package = importlib.import_module(path.partition("/")[0])  # the checkout, or an installed wheel
    assert package.__file__
    assert name in names_in(ast.parse((Path(package.__file__).parent.parent / path).read_text()))
