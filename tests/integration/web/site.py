"""A small site on threads of this process: views that write and read, and answers that the test holds back."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlencode
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from django.utils.html import escape
from django.views.decorators.http import require_GET, require_POST

from tests.shop import observe
from tests.shop.models import AuditEntry, Customer
from tests.shop.serve import HOST, PoolServer

TIMEOUT: Final = 60.0
COOKIE: Final = "pindb_pinned_set"
HOSTS: Final = (HOST, "localhost")
"""To a browser these are two sites."""

PORTS: Final = 4
"""Chromium sends at most 6 requests at a time to one port. Cookies do not depend on the port."""


class Late:
    """A request whose answer goes out only when the test says so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._came = threading.Event()
        self._may_go = threading.Event()

    def hold(self) -> None:
        """Wait until the test lets the answer go."""
        self._came.set()
        assert self._may_go.wait(TIMEOUT), f"the test has not let the answer {self.name} go"

    def wait_until_held(self) -> None:
        """Wait until the request has come in, and its answer is held back."""
        assert self._came.wait(TIMEOUT), f"the request {self.name} has not come"

    def let_go(self) -> None:
        """Let the answer go out."""
        self._may_go.set()


late_answers: Final[dict[str, Late]] = {}
_numbers: Final = itertools.count(1)


def hold_if_late(query: str, place: str) -> None:
    """Hold the request back if its address says so: `?view=NAME` in the view, `?network=NAME` after the middleware."""
    for name in parse_qs(query).get(place, ()):
        late_answers[name].hold()


@require_GET
def empty(request: HttpRequest) -> HttpResponse:
    """GET /: a page that reads and writes nothing."""
    return _page(request)


@require_POST
def write(request: HttpRequest, what: str) -> HttpResponse:
    """POST /write/customer and /write/entry: a row more; an entry is in the DB set "audit"."""
    row = Customer.objects.create(name=_new_name()) if what == "customer" else AuditEntry.objects.create(order_id=1)
    hold_if_late(request.META["QUERY_STRING"], "view")
    return _page(request, row=row.pk)


@require_GET
def read(request: HttpRequest, what: str) -> HttpResponse:
    """GET /read/customer and /read/entry: the keys of all rows, and the alias that they were read from."""
    with observe.reads() as reads:
        rows = Customer.objects.all() if what == "customer" else AuditEntry.objects.all()
        keys = sorted(rows.values_list("pk", flat=True))
    (alias,) = reads
    return _page(request, rows=keys, alias=alias)


urlpatterns = [path("", empty), path("write/<str:what>", write), path("read/<str:what>", read)]


def _new_name() -> str:
    return f"customer {next(_numbers)}"


def _page(request: HttpRequest, **told: Any) -> HttpResponse:
    """Return a page whose text is JSON. It names an icon, or the browser would send one more request to ask for it."""
    told["cookies"] = sum(name.startswith(COOKIE) for name in request.COOKIES)
    return HttpResponse(f'<!doctype html><link rel="icon" href="data:,"><pre>{escape(json.dumps(told))}</pre>')


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing of a request that was answered."""


class Site:
    """The site's addresses."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports

    def url(self, path: str, *, host: str = HOST, port: int = 0, **query: Late) -> str:
        """Return an address of the site, at its port of this number; no two addresses are the same.

        The answer to the request is held back in the `view`, or in the `network`.
        """
        text = urlencode({"n": next(_numbers), **{place: late.name for place, late in query.items()}})
        return f"http://{host}:{self.ports[port % PORTS]}{path}?{text}"

    def late(self) -> Late:
        """Return an answer that the test holds back."""
        late = Late(str(next(_numbers)))
        late_answers[late.name] = late
        return late


@contextmanager
def serving() -> Iterator[Site]:
    """Serve the site at several ports."""
    with override_settings(ROOT_URLCONF=__name__):
        answer = WSGIHandler()

        def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
            # The browser gets what is complete, and the thread has closed its connections to databases by then.
            response: Any = answer(environ, start_response)
            try:
                body = b"".join(response)
            finally:
                response.close()
            hold_if_late(environ["QUERY_STRING"], "network")
            return [body]

        with listening(application, PORTS) as ports:
            yield Site(ports)


@contextmanager
def listening(application: Callable[..., Any], number: int) -> Iterator[list[int]]:
    """Serve `application` at this number of ports, a thread for each request; produce the ports."""
    servers = [make_server(HOST, 0, application, PoolServer, _Quiet) for _ in range(number)]
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield [server.server_port for server in servers]
