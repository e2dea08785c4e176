"""`python -m tests.toolbar_picture` makes the docs' picture of the toolbar's panel, with Chromium."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import django

PICTURE: Final = Path(__file__).parent.parent / "docs" / "images" / "toolbar.png"
SIZE: Final = (1400, 840)


def main() -> None:
    """Open a page that reads, writes and reads, and its panel; write what is seen."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
    django.setup()

    from tests.integration.web.browser import driver_process, started_browser
    from tests.integration.web.toolbar_tab import ToolbarTab, serving_toolbar
    from tests.shop.tables import create_tables

    create_tables()
    with driver_process() as driver, started_browser(driver) as browser, serving_toolbar() as address:
        tab = ToolbarTab(browser.empty_tab())
        tab.visit(f"{address}/checkout")
        tab.open_panel()
        PICTURE.parent.mkdir(exist_ok=True)
        tab.tab.photograph(PICTURE, *SIZE)
    sys.stdout.write(f"{PICTURE}: {PICTURE.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
