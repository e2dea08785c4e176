"""django-debug-toolbar in a real browser: its panel shows the pinned read with the line that pinned."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .browser import Browser
from .toolbar_tab import ToolbarTab, serving_toolbar


@pytest.fixture
def address(shop_tables: None) -> Iterator[str]:
    with serving_toolbar() as address:
        yield address


def test_a_click_on_the_panel_shows_the_pinned_read_with_the_line_that_pinned(started: Browser, address: str) -> None:
    tab = ToolbarTab(started.empty_tab())
    tab.visit(f"{address}/checkout")
    assert "1 of 2 reads on replicas" in tab.button()
    tab.open_panel()
    first, customer, order, last = tab.rows("PinDbQueries")
    assert first[1:3] == ["replica", ""]
    assert (customer[:2], order[:2]) == (["default", "write"], ["default", "write"])
    line = customer[3]
    assert line.startswith("tests/toolbar.py:")
    assert last[:3] == ["default", "pinned by a write here", line]
    assert tab.rows("PinDbPins") == [["default", "no", "new: for 600 s", line]]
    tab.visit(f"{address}/read")
    tab.open_panel()
    (read,) = tab.rows("PinDbQueries")
    assert read[:3] == ["default", "pinned by the caller", "cookie"]
