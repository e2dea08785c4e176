"""`Browser`: a client with a cookie jar that clicks at a human pace, and sees whether its own writes are there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, ProxyHandler, Request, build_opener
from zlib import crc32

from tests.journeys.records import join

TIMEOUT = 30.0
REDIRECT = 302


class NoRedirects(HTTPRedirectHandler):
    """Hands a redirect to the browser: its next request needs what the answer says."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Browser:
    """One visitor. Until it is sent `on` its journey it clicks at once, and nothing is recorded."""

    def __init__(self, store: str, name: str) -> None:
        self.store = store.rstrip("/")
        self.name = name
        self.address = f"198.18.{crc32(name.encode()) % 256}.{crc32(name.encode()) // 256 % 256}"
        self.journey = ""
        self.before_click: Callable[[], None] = lambda: None
        self.cookies = CookieJar()
        # Without proxies: one that the environment names does not know this machine's ports.
        self.opener = build_opener(ProxyHandler({}), NoRedirects(), HTTPCookieProcessor(self.cookies))
        self.needs: dict[str, int] = {}
        self.clicks = 0
        self.missed: list[str] = []

    def on(self, journey: str, before_click: Callable[[], None]) -> Self:
        """Be recorded from here on; `before_click` waits until it is time to click."""
        self.journey, self.before_click = journey, before_click
        return self

    def get(self, path: str, **expected: Any) -> dict[str, Any]:
        """Click on a link; note what is not as expected on the page, and return it."""
        return self._click("GET", path, None, expected)

    def post(self, path: str, data: Mapping[str, Any], **expected: Any) -> dict[str, Any]:
        """Send a form, and follow where the answer leads."""
        return self._click("POST", path, data, expected)

    def forget_pins(self) -> None:
        """Lose what hands pins on, as a browser does in time: the caller sees to it that the replicas have it all."""
        for cookie in list(self.cookies):
            if cookie.name.startswith("pindb_"):
                self.cookies.clear(cookie.domain, cookie.path, cookie.name)
        self.needs = {}

    def _click(self, method: str, path: str, data: Mapping[str, Any] | None, expected: Mapping[str, Any]) -> Any:
        self.before_click()
        status, headers, page = self._send(method, path, data)
        if status == REDIRECT:
            path = headers["Location"]
            status, headers, page = self._send("GET", path, None)
        wanted: dict[str, Any] = {"status": 200, "url": path.partition("?")[0], **expected}
        seen = {**page, "status": status, "url": path.partition("?")[0]}
        self.missed += [
            f"{self.name}: {path}: {key} is {seen.get(key)!r}, not {value!r}"
            for key, value in wanted.items()
            if seen.get(key) != value
        ]
        return page

    def _send(self, method: str, path: str, data: Mapping[str, Any] | None) -> tuple[int, Any, dict[str, Any]]:
        body = urlencode(data).encode() if data is not None else None
        sent = {
            "Journey": self.journey,
            "Journey-Needs": json.dumps(self.needs),
            # Visitors without cookies from one address would be one client that sends everything at once.
            "X-Forwarded-For": self.address,
        }
        request = Request(f"{self.store}{path}", body, sent, method=method)
        try:
            answer = self.opener.open(request, timeout=TIMEOUT)
        except HTTPError as error:
            answer = error
        with answer:
            text, headers, status = answer.read(), answer.headers, answer.status
        self.needs = join(self.needs, json.loads(headers.get("Journey-Needs", "{}")))
        self.clicks += 1
        if (clicks := int(headers.get("Journey-Clicks", 0))) != self.clicks:
            self.missed.append(f"{self.name}: {path}: its session has {clicks} clicks, not {self.clicks}")
            self.clicks = clicks
        is_json = headers.get_content_type() == "application/json"
        return status, headers, json.loads(text) if is_json else {}
