"""`Browser`: a client with a cookie jar and two tabs, which knows what its answered requests have done."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from http.client import HTTPException
from http.cookiejar import Cookie, CookieJar
from random import Random
from threading import Event, Lock, Thread
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

from tests.histories.plans import Planner

TIMEOUT = 40.0
TABS = 2
SERVERS_OWN = "an error that no view has answered"
GARBAGE = ("", "x", "1:default=9", "eyJhIjoxfQ:1abc:forged", "%00" * 40, "a" * 3000)


class Browser:
    """Clicks until it is stopped, in two tabs at once. `url` draws the web server of the next request."""

    def __init__(self, seed: str, number: int, url: Callable[[Random], str], *, reads_only: bool, pause: float) -> None:
        self.answers: Counter[str] = Counter()
        self.odd: list[str] = []
        """The answers of errors that no view has answered: where, the status, the text."""
        self._url = url
        self._pause = pause
        self._jar = CookieJar()
        # Without proxies: one that the environment names does not know this machine's ports.
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self._jar))
        self._past: set[str] = set()
        self._lock = Lock()
        self._tabs = []
        for tab in range(TABS):
            chance = Random(f"{seed} {number} {tab}")
            planner = Planner(chance, number, reads_only=reads_only)
            self._tabs.append((chance, planner))

    def start(self, stopped: Event) -> list[Thread]:
        """Start a thread for each tab."""
        threads = [Thread(target=self._browse, args=(*tab, stopped)) for tab in self._tabs]
        for thread in threads:
            thread.start()
        return threads

    def _browse(self, chance: Random, planner: Planner, stopped: Event) -> None:
        while not stopped.wait(chance.uniform(0, 2 * self._pause)):
            if chance.random() < 0.03:
                self._jar.set_cookie(
                    _garbage(chance)
                )  # under a name of its own: a client that throws pins away has none
            url = self._url(chance) + chance.choice(("sync", "async"))
            self._click(url, planner.request())

    def _click(self, url: str, plan: object) -> None:
        with self._lock:  # before the cookies are read: a request has at least the cookies of what it knows of
            known = set(self._past)
        body = json.dumps({"plan": plan, "parents": sorted(known)}).encode()
        request = Request(url, body, {"Content-Type": "application/json"})
        status = 200
        try:
            try:
                with self._opener.open(request, timeout=TIMEOUT) as response:
                    answer = response.read()
            except HTTPError as error:  # its cookies are in the jar
                status = error.code
                with error:
                    answer = error.read()
            past = set(json.loads(answer)["past"])
        except (OSError, HTTPException) as error:
            self.answers[f"no answer: {type(error).__name__}"] += 1
        except (ValueError, KeyError):
            cut = status == 200 or not answer  # a server that is killed inside the headers leaves an empty answer
            self.answers["an answer that was cut" if cut else SERVERS_OWN] += 1
            if not cut:
                self.odd.append(f"{url} answered {status}: {answer[:300]!r}")
        else:
            self.answers["answered"] += 1
            with self._lock:  # the answer knows all that the request knew
                self._past = (self._past - known) | past


def _garbage(chance: Random) -> Cookie:
    """Return a cookie as a stranger, a forger or an old release may have left it."""
    name = chance.choice(("pindb_pinned_set", f"pindb_pinned_set.{chance.randrange(16**8):08x}"))
    return Cookie(
        version=0, name=name, value=chance.choice(GARBAGE), port=None, port_specified=False, domain="127.0.0.1",
        domain_specified=False, domain_initial_dot=False, path="/", path_specified=True, secure=False,
        expires=None, discard=True, comment=None, comment_url=None, rest={},
    )  # fmt: skip
