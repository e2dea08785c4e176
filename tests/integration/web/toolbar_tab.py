"""A tab of the browser that shows django-debug-toolbar, and a site with the toolbar on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler

from tests.servers import wait_until
from tests.toolbar import toolbar_on

from .browser import Tab
from .site import HOST, TIMEOUT, listening

IN_TOOLBAR: Final = """
const host = document.getElementById("djDebugRoot");
const root = host && (host.shadowRoot || document);
"""
BUTTON: Final = f'{IN_TOOLBAR} return root?.querySelector("#djdt-PinDbPanel")?.textContent || "";'
OPEN: Final = f"""{IN_TOOLBAR}
const panel = root?.querySelector("#PinDbPanel");
if (panel?.classList.contains("djdt-hidden")) root.querySelector("a.PinDbPanel").click();
return Boolean(panel?.querySelector("#PinDbPins, #PinDbQueries")) && panel.checkVisibility();
"""
ROWS: Final = f"""{IN_TOOLBAR}
return [...root.querySelectorAll(`#${{arguments[0]}} tbody tr`)].map(
    row => [...row.cells].map(cell => cell.textContent.trim()));
"""


class ToolbarTab:
    """A tab that shows a page with the toolbar."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    def visit(self, url: str) -> None:
        """Open an address."""
        self.tab.visit(url)
        self.tab.text()

    def button(self) -> str:
        """Return what the panel's button says."""
        return str(self.tab.run(BUTTON))

    def open_panel(self) -> None:
        """Click on the panel's button until the panel is there: the toolbar's script may not have come yet."""
        wait_until(lambda: bool(self.tab.run(OPEN)), TIMEOUT, "the panel is shown")

    def rows(self, table: str) -> Any:
        """Return the texts of the cells of one of the panel's tables."""
        return self.tab.run(ROWS, table)


@contextmanager
def serving_toolbar() -> Iterator[str]:
    """Serve the site with the toolbar; produce its address."""
    with toolbar_on(), listening(StaticFilesHandler(WSGIHandler()), 1) as (port,):
        yield f"http://{HOST}:{port}"
