"""The check of the Python blocks finds what is wrong in one, and says on which line of which page."""

from __future__ import annotations

from tests.documentation.blocks import ROOT, Block, blocks_of, type_errors

PAGE = ROOT / "docs" / "settings.md"


def errors_of(text: str) -> list[str]:
    block = Block(PAGE, 7, "python", text)
    return type_errors({block.module: block})


def test_a_name_that_pindb_does_not_have_is_found_on_its_line() -> None:
    (error,) = errors_of('with pindb.master("default"):\n    pindb.pinn("default")\n')
    assert error.startswith("docs/settings.md:8: error: Module has no attribute")


def test_a_wrong_argument_is_found_inside_a_function_without_types() -> None:
    (error,) = errors_of("def view(request):\n    pindb.pin(7)\n")
    assert error.startswith("docs/settings.md:8: error: Argument 1 to")


def test_blocks_know_where_they_stand() -> None:
    lines = PAGE.read_text().splitlines()
    blocks = list(blocks_of(PAGE))
    assert blocks
    for block in blocks:
        assert lines[block.line - 1] == block.text.splitlines()[0]
        assert block.as_module().splitlines()[block.line - 1] == lines[block.line - 1]
