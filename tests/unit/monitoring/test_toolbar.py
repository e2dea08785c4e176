"""The debug toolbar's panel: the queries of one request, with reasons and lines, and its pins."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.test import AsyncClient, Client, RequestFactory, override_settings

import pindb
from pindb.config.database_sets import live
from pindb.core.pins import PinnedPosition, PinSet
from pindb.core.unit_of_work import UnitOfWork
from tests import toolbar as site
from tests.shop.models import Customer
from tests.toolbar import PANEL, toolbar_on

pytestmark = pytest.mark.usefixtures("shop_tables")


@pytest.fixture(autouse=True)
def _toolbar() -> Iterator[None]:
    with toolbar_on():
        yield
        store().clear()


def store() -> Any:
    from debug_toolbar.store import get_store

    return get_store()


def stats_of(page: bytes) -> Any:
    """Return what the toolbar's store has of the request that this page answers."""
    (request_id,) = re.findall(rb'data-request-id="(\w+)"', page)
    return store().panel(request_id.decode(), PANEL)


def panel_of(client: Client, page: bytes) -> str:
    """Return the panel's HTML, which the toolbar asks for with a request of its own."""
    (request_id,) = re.findall(rb'data-request-id="(\w+)"', page)
    answer = client.get("/__debug__/render_panel/", {"request_id": request_id.decode(), "panel_id": PANEL})
    content: str = answer.json()["content"]
    return content


def test_each_query_is_a_row_with_its_reason_its_line_and_the_line_that_pinned() -> None:
    stats = stats_of(Client().get("/checkout").content)
    rows = stats["queries"]
    assert [row["reason"] for row in rows] == ["replica", "write", "write", "pinned by a write here"]
    first, last = rows[0], rows[-1]
    assert first["alias"].startswith("default-")
    assert last["alias"] == "default"
    assert {row["line"].rpartition(":")[0] for row in rows} == {"tests/toolbar.py"}
    assert last["origin"] == next(row["line"] for row in rows if row["reason"] == "write")
    assert f"Without the first cause, pinned by a write here ({last['origin']}), no more reads" in stats["summary"]
    assert {(place["alias"], place["reason"], place["reads"]) for place in stats["places"]} == {
        (first["alias"], "replica", 1),
        ("default", "pinned by a write here", 1),
    }


def test_pins_are_shown_where_they_go_out_and_where_they_come_in() -> None:
    client = Client()
    (new,) = stats_of(client.get("/checkout").content)["pins"]
    assert (new["db_set"], new["came_in"], new["handed_on"]) == ("default", "", "new: for 600 s")
    assert new["origin"].startswith("tests/toolbar.py:")
    stats = stats_of(client.get("/read").content)
    (carried,) = stats["pins"]
    assert carried["origin"] == "cookie"
    assert re.fullmatch(r"for (600|5\d\d) s", carried["came_in"])
    assert carried["handed_on"] == "as it came in"
    assert [row["reason"] for row in stats["queries"]] == ["pinned by the caller"]
    assert stats_of(Client().get("/read").content)["pins"] == []


def test_the_panel_and_the_toolbars_own_requests_change_no_routing() -> None:
    client = Client()
    page = client.get("/read?times=3").content
    assert stats_of(page)["on_replicas"] == 3
    content = panel_of(client, page)
    assert "3 queries, 3 reads: 3 on replicas." in content
    assert not client.cookies
    assert stats_of(client.get("/read").content)["on_replicas"] == 1
    assert not any(connection.execute_wrappers[1:] for connection in connections.all())
    assert live.listeners == 0


def test_what_the_database_was_told_is_text_to_the_browser() -> None:
    client = Client()
    content = panel_of(client, client.get("/evil").content)
    assert "&lt;script&gt;alert(1)" in content
    assert "<script" not in content


def test_requests_at_the_same_time_in_threads_show_their_own_queries() -> None:
    number = 4
    site.together["threads"] = Barrier(number)

    def get(times: int) -> Any:
        try:
            return stats_of(Client().get(f"/read?times={times}&together=threads").content)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as pool:
        answers = list(pool.map(get, range(1, number + 1)))
    for times, stats in enumerate(answers, 1):
        assert len(stats["queries"]) == stats["on_replicas"] == times
        assert {row["reason"] for row in stats["queries"]} == {"replica"}


async def test_async_requests_that_share_a_thread_show_their_own_queries() -> None:
    pages = await asyncio.gather(*(AsyncClient().get(f"/async/read?times={times}") for times in range(1, 5)))  # type: ignore[no-untyped-call]
    for times, page in enumerate(pages, 1):
        assert stats_of(page.content)["on_replicas"] == len(stats_of(page.content)["queries"]) == times


async def test_an_asgi_server_shows_writes_and_reads_of_an_async_view() -> None:
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": "/async/checkout", "query_string": b"",
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    server = ApplicationCommunicator(get_asgi_application(), scope)
    await server.send_input({"type": "http.request", "body": b""})
    await server.receive_output(30)
    page = (await server.receive_output(30))["body"]
    await server.wait(30)
    write, read = stats_of(page)["queries"]
    assert (write["reason"], read["reason"]) == ("write", "pinned by a write here")
    assert write["alias"] == read["alias"] == "default"
    assert write["line"].startswith("tests/toolbar.py:")
    assert read["origin"] == write["line"] != read["line"]


def test_a_line_of_the_web_server_is_not_taken_for_one_of_the_application() -> None:
    """A WSGI server waits below the thread that sends the queries of an async view."""
    page = b"".join(WSGIHandler()(RequestFactory().get("/async/read").environ, lambda *_: None))  # type: ignore[arg-type]
    (row,) = stats_of(page)["queries"]
    assert (row["reason"], row["line"]) == ("replica", "")


def test_the_stats_are_text_and_numbers_for_any_store() -> None:
    from debug_toolbar.toolbar import DebugToolbar

    toolbars: list[Any] = []

    def note(sender: Any, toolbar: Any, **kwargs: Any) -> None:
        toolbars.append(toolbar)

    DebugToolbar._created.connect(note)
    page = Client().get("/checkout").content
    stats = toolbars[0].stats[PANEL]
    assert json.loads(json.dumps(stats)) == stats == stats_of(page)


def test_enabling_and_disabling_twice_is_once() -> None:
    from debug_toolbar.toolbar import DebugToolbar

    before = [list(connection.execute_wrappers) for connection in connections.all()]
    panel = DebugToolbar(RequestFactory().get("/"), lambda request: None).get_panel_by_id(PANEL)
    for switch in (panel.enable_instrumentation, panel.disable_instrumentation):
        switch()
        switch()
    assert [connection.execute_wrappers for connection in connections.all()] == before
    with pindb.explain():
        assert live.listeners == 1


def test_without_the_middleware_in_front_the_panel_says_that_pins_are_not_known() -> None:
    def get() -> str:
        client = Client()
        try:
            Customer.objects.count()  # begins an implicit unit of work, which is none of the request's
            return panel_of(client, client.get("/read").content)
        finally:
            connections.close_all()

    # In a thread of its own no unit of work is open, as in a server.
    with (
        override_settings(MIDDLEWARE=["debug_toolbar.middleware.DebugToolbarMiddleware"]),
        ThreadPoolExecutor(1) as pool,
    ):
        content = pool.submit(get).result()
    assert "The pins are not known" in content
    assert "1 reads: 1 on replicas" in content


def test_each_pin_says_how_it_came_in_and_how_it_is_handed_on() -> None:
    from pindb.monitoring.toolbar import pin_rows

    position = PinnedPosition("pA.1", 0x5F, 130.0)
    came_in = PinSet({"*": 112.0, "lapsed": 99.0}, {"audit": (position,)})
    unit = UnitOfWork(came_in, "cookie")
    unit.held_pins.add("announced")
    unit.pins_made.add("audit")
    rows = [(row["db_set"], row["came_in"], row["handed_on"]) for row in pin_rows(unit, came_in, 100.0)]
    caught_up = "until a replica has caught up with pA.1:5f, at most 30 s"
    assert rows == [
        ("every DB set", "for 12 s", "as it came in"),
        ("announced", "", ""),
        ("audit", caught_up, "new: for 600 s; as it came in"),
        ("lapsed", "lapsed", ""),
    ]
    unit.inherited = came_in.join(PinSet({"audit": 120.0}))  # as the result of a task that was waited for
    handed_on = {row["db_set"]: row["handed_on"] for row in pin_rows(unit, came_in, 100.0)}
    assert handed_on["audit"] == f"new: for 600 s; for 20 s; {caught_up}"
    with override_settings(PINDB_CONSISTENCY="position", PINDB_POSITION_SECONDS=3600):
        handed_on = {row["db_set"]: row["handed_on"] for row in pin_rows(unit, came_in, 100.0)}
    assert handed_on["audit"].startswith("new: until a replica has caught up, at most 3600 s; ")
