"""Chromium, run by its own driver: tabs, forms, and the cookies that it has."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.proxy import Proxy
from selenium.webdriver.remote.client_config import ClientConfig

from pindb.testing.servers.processes.keeping import KeptDirectory
from tests.servers import Kept, wait_until
from tests.services import missing

from .site import COOKIE, TIMEOUT

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
DRIVER: Final = "chromedriver"
ARGUMENTS: Final = (
    "--headless=new",
    "--no-sandbox",  # root needs it, and the browser sees no pages but the tests'
    "--disable-dev-shm-usage",
    "--no-proxy-server",
    "--remote-debugging-pipe",  # the browser ends when its driver does, however that ends
)

SEND_FORM: Final = """
const form = document.createElement("form");
form.method = "post";
form.action = arguments[0];
document.body.append(form);
form.submit();
"""
FOLLOW_LINK: Final = "location.assign(arguments[0])"
TEXT_OF_COMPLETE_PAGE: Final = """
return document.readyState === "complete" && location.href === arguments[0] ? document.body.textContent : null;
"""
FETCH_ALL: Final = """
const send = url => fetch(url, {method: "POST", mode: "no-cors", credentials: "include"});
window.answers = [...(window.answers || []), ...arguments[0].map(send)];
"""
AWAIT_ANSWERS: Final = """
const done = arguments[arguments.length - 1];
Promise.all(arguments[0].map(index => window.answers[index])).then(() => done(null), error => done(String(error)));
"""


class Tab:
    """A tab: what it has asked for last is what it waits for."""

    def __init__(self, driver: Any, handle: str) -> None:
        self._driver = driver
        self._handle = handle
        self._url = ""

    def send(self, url: str) -> None:
        """Send a form without fields from the page that is shown, by POST; return at once."""
        self._leave_for(url, SEND_FORM)

    def follow(self, url: str) -> None:
        """Follow a link of the page that is shown; return at once."""
        self._leave_for(url, FOLLOW_LINK)

    def page(self) -> Any:
        """Wait for the page that the tab was sent to; return what it says, in JSON."""
        return json.loads(self.text())

    def text(self) -> str:
        """Wait for the page that the tab was sent to; return its text."""
        found: list[Any] = []

        def complete() -> bool:
            try:
                text = self.run(TEXT_OF_COMPLETE_PAGE, self._url)
            except WebDriverException:  # the page before it is just gone
                return False
            if text is not None:
                found.append(text)
            return bool(found)

        wait_until(complete, TIMEOUT, lambda: f"{self._url} is shown; the tab shows {self._driver.page_source}")
        return str(found[0])

    def posted(self, url: str) -> Any:
        """Send a form; return what the answer says."""
        self.send(url)
        return self.page()

    def followed(self, url: str) -> Any:
        """Follow a link; return what the page says."""
        self.follow(url)
        return self.page()

    def open(self, url: str) -> Any:
        """Open an address as a user does who types it: no site has sent him there."""
        self.visit(url)
        return self.page()

    def visit(self, url: str) -> None:
        """Open an address like that; return at once."""
        self._driver.switch_to.window(self._handle)
        self._url = url
        self._driver.get(url)

    def fetch(self, urls: Sequence[str]) -> None:
        """Have the page POST to all these addresses at once."""
        self.run(FETCH_ALL, list(urls))

    def await_answers(self, indexes: Sequence[int]) -> None:
        """Wait for the answers to these of the requests that the page has sent, counted from 0."""
        self._driver.switch_to.window(self._handle)
        error = self._driver.execute_async_script(AWAIT_ANSWERS, list(indexes))
        assert error is None, error

    def cookies(self) -> list[str]:
        """Return the values of pindb's cookies that the browser has for the site that is shown."""
        self._driver.switch_to.window(self._handle)
        return [cookie["value"] for cookie in self._driver.get_cookies() if cookie["name"].startswith(COOKIE)]

    def _leave_for(self, url: str, script: str) -> None:
        self._url = url
        self.run(script, url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page that is shown; return what it returns."""
        self._driver.switch_to.window(self._handle)
        return self._driver.execute_script(script, *arguments)

    def photograph(self, file: Path, width: int, height: int) -> None:
        """Write what the tab shows to a PNG file, at this size."""
        self._driver.switch_to.window(self._handle)
        self._driver.set_window_size(width, height)
        file.write_bytes(self._driver.get_screenshot_as_png())


class Browser:
    """A browser with one user at a time."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._blank = driver.current_window_handle

    def tab(self, url: str) -> Tab:
        """Return a new tab that shows this address."""
        tab = self.empty_tab()
        tab.open(url)
        return tab

    def empty_tab(self) -> Tab:
        """Return a new tab that shows nothing yet."""
        self._driver.switch_to.new_window("tab")
        return Tab(self._driver, self._driver.current_window_handle)

    def forget(self, urls: Sequence[str]) -> None:
        """Close all tabs, and forget the cookies that the browser has for these addresses."""
        for handle in self._driver.window_handles:
            if handle != self._blank:
                self._driver.switch_to.window(handle)
                self._driver.close()
        for url in urls:
            Tab(self._driver, self._blank).open(url)
            self._driver.delete_all_cookies()


@contextmanager
def driver_process() -> Iterator[str]:
    """Run the driver; produce its address. Nothing of it or of its browsers is left in the end."""
    program = shutil.which(DRIVER)
    if program is None or _browser() is None:
        missing("Chromium or its driver is not installed: apt-get install chromium chromium-driver.")
    with KeptDirectory("pindb-browser-") as directory:
        environment = {**os.environ, "TMPDIR": str(directory.path), "HOME": str(directory.path)}
        with Kept([program, "--port=0"], env=environment, directory=directory) as process:
            process.wait_for_log("started successfully on port")
            found = re.search(r"successfully on port (\d+)", process.log_text())
            assert found, process.log_text()
            yield f"http://127.0.0.1:{found[1]}"


@contextmanager
def started_browser(driver_address: str) -> Iterator[Browser]:
    """Run a browser with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = _browser() or ""
    # Otherwise each command would wait for the page that its tab is loading.
    options.page_load_strategy = "none"
    for argument in ARGUMENTS:
        options.add_argument(argument)
    config = ClientConfig(driver_address, proxy=Proxy({"proxyType": "DIRECT"}))
    driver = webdriver.Remote(driver_address, options=options, client_config=config)
    try:
        driver.set_script_timeout(TIMEOUT)
        yield Browser(driver)
    finally:
        driver.quit()


def _browser() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)
