"""The shop's customers: each an HTTP client with a cookie jar of its own, as browsers have."""

from __future__ import annotations

import json
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

TIMEOUT = 30.0


class Client:
    """One customer's browser; without a name, a caller that keeps no cookies."""

    def __init__(self, shop: str, name: str | None = None) -> None:
        self.shop = shop
        self.name = name
        # Without proxies: one that the environment names does not know this machine's ports.
        cookies = [HTTPCookieProcessor(CookieJar())] if name is not None else []
        self.opener = build_opener(ProxyHandler({}), *cookies)

    def place(self, total: str) -> Any:
        """Order something; return the shop's answer, with the id of the order and of the task."""
        return self._post("orders", {"customer": self.name, "total": total})

    def pay(self, order: int) -> Any:
        """Pay an order; return the shop's answer."""
        return self._post(f"orders/{order}/pay", {})

    def report(self) -> Any:
        """Ask for a report; return the shop's answer."""
        return self._post("report", {})

    def _post(self, path: str, data: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.shop}{path}", json.dumps(data).encode(), headers)
        with self.opener.open(request, timeout=TIMEOUT) as response:
            return json.load(response)
