"""The shop through Django's own request handling, WSGI and ASGI, on replicas that never catch up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import AsyncClient, Client, override_settings

import pindb
from tests.servers import wait_until
from tests.shop.celery import app

COOKIE = "pindb_pinned_set"


def pindb_cookies(client: Client) -> list[str]:
    return [name for name in client.cookies if name.startswith(COOKIE)]


pytestmark = pytest.mark.usefixtures("shop_tables", "eager_tasks")


@pytest.fixture
def eager_tasks() -> Iterator[None]:
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def place(client: Client) -> int:
    response = client.post("/orders", {"customer": "ada", "total": "1.50"}, content_type="application/json")
    assert response.status_code == 201, response.content
    order: int = response.json()["order"]
    return order


def test_a_client_reads_in_its_next_request_what_it_has_just_written() -> None:
    client = Client()
    order = place(client)
    seen = client.get(f"/orders/{order}").json()
    assert seen["status"] == "new"
    assert seen["reads"] == {"default": 1, "audit-1": 1}, "the other DB set is still read from its replica"
    client.post(f"/orders/{order}/pay")
    seen = client.get(f"/orders/{order}").json()
    assert (seen["status"], seen["history"]) == ("paid", ["paid"])
    assert seen["reads"] == {"default": 1, "audit": 1}


def test_another_client_is_not_pinned() -> None:
    order = place(Client())
    assert Client().get(f"/orders/{order}").status_code == 404, "the replica does not have it"


def test_a_client_that_only_reads_gets_no_cookie() -> None:
    client = Client()
    assert client.get("/orders/1").status_code == 404
    client.post("/report")
    assert not pindb_cookies(client)


def test_a_lapsed_pin_sends_the_client_back_to_the_replicas() -> None:
    client = Client()
    with override_settings(PINDB_PINNING_SECONDS=0.001):
        order = place(client)
    # The test client keeps cookies whatever their age, as a browser whose clock is wrong would.
    wait_until(lambda: client.get(f"/orders/{order}").status_code == 404, 5, "the pin has not lapsed")


def test_a_streamed_body_reads_what_the_client_wrote() -> None:
    client = Client()
    order = place(client)
    assert b"".join(client.get("/orders.csv")).decode().splitlines()[1:] == [f"{order},new,1.50"]
    assert b"".join(Client().get("/orders.csv")).decode().splitlines()[1:] == []


async def test_an_async_view_reads_its_own_write_and_pins_the_next_request() -> None:
    client: Any = AsyncClient()
    response = await client.post("/orders", '{"customer": "ada", "total": "1.50"}', content_type="application/json")
    order = response.json()["order"]
    other: Any = AsyncClient()
    other.cookies[COOKIE] = ""
    response = await other.post(f"/orders/{order}/cancel")
    assert response.json()["status"] == "cancelled"
    response = await other.get(f"/orders/{order}")
    assert response.json()["status"] == "cancelled"
    assert (await AsyncClient().get(f"/orders/{order}")).status_code == 404  # type: ignore[no-untyped-call]


def test_a_view_that_fails_after_its_write_still_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.shop import tasks

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(tasks.confirm, "apply_async", broken)
    client = Client(raise_request_exception=False)
    response = client.post("/orders", {"customer": "ada", "total": "1.50"}, content_type="application/json")
    assert response.status_code == 500
    assert pindb_cookies(client)


def test_nothing_leaks_out_of_a_request() -> None:
    place(Client())
    assert pindb.get_pinned() == set()
