"""`manage.py pindb_explain`: where the queries of a request go, and why."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

import pindb
from tests.shop.models import Customer, Order

pytestmark = pytest.mark.usefixtures("shop_tables")


def look(request: HttpRequest) -> HttpResponse:
    """A view that reads, writes, and reads again."""
    list(Order.objects.filter(pk=request.GET.get("order", 0)))
    if request.method == "POST":
        Customer.objects.create(name=request.POST["name"])
    Customer.objects.using("default").count()
    return HttpResponse(status=202 if Customer.objects.exists() else 200)


def fails(request: HttpRequest) -> HttpResponse:
    Order.objects.count()
    raise RuntimeError


async def look_async(request: HttpRequest) -> HttpResponse:
    await Order.objects.acount()
    return HttpResponse()


urlpatterns = [path("look/", look), path("fails/", fails), path("async/", look_async)]


@pytest.fixture(autouse=True)
def _site() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=[".shop.test"]):
        yield


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("pindb_explain", *arguments, stdout=out)
    return out.getvalue()


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_each_query_is_told_with_its_reason() -> None:
    answer = run_json("/look/?order=7")
    assert answer["status"] == 200
    orders, customers, last = answer["queries"]
    assert orders["alias"].startswith("default-")
    assert orders["reason"] == "replica"
    assert (customers["alias"], customers["reason"]) == ("default", "no router was asked where to read")
    assert last["alias"] == orders["alias"]
    assert all(query["line"].startswith(f"{__file__}:") for query in answer["queries"])
    assert "shop_order" in orders["sql"]
    assert [query["table"] for query in answer["queries"]] == ["shop_order", "shop_customer", "shop_customer"]


def test_a_post_needs_leave_and_tells_the_line_that_pinned() -> None:
    with pytest.raises(CommandError, match="A POST may write to the real databases. Type --write"):
        run("/look/", "--method", "post", "--data", "name=Ada")
    assert not Customer.objects.using("default").exists()
    answer = run_json("/look/", "--method", "post", "--data", "name=Ada", "--write")
    assert answer["status"] == 202
    assert [query["reason"] for query in answer["queries"]] == [
        "replica", "write", "no router was asked where to read", "pinned by a write here",
    ]  # fmt: skip
    write, last = answer["queries"][1], answer["queries"][-1]
    assert last["origin"] == write["line"]


def test_the_queries_of_an_async_view_have_its_lines() -> None:
    (query,) = run_json("/async/")["queries"]
    assert (query["table"], query["reason"]) == ("shop_order", "replica")
    assert query["line"] == f"{__file__}:{look_async.__code__.co_firstlineno + 1}"


def test_the_table_names_lines_shortly_and_what_would_help() -> None:
    text = run("/look/", "--method", "post", "--data", "name=Ada", "--write")
    assert text.startswith("POST /look/: status 202\n")
    assert "tests/unit/management/test_pindb_explain.py:" in text
    assert __file__ not in text
    assert (
        "4 queries, 3 reads: 1 on replicas. 1 would go to a replica without this cause: pinned by a write here ("
        in text
    )


def test_a_view_that_fails_is_told_too() -> None:
    answer = run_json("/fails/")
    assert answer["status"] == 500
    assert len(answer["queries"]) == 1


def test_the_pins_of_the_request_end_with_it_and_nothing_listens_any_more() -> None:
    run("/look/", "--method", "post", "--data", "name=Ada", "--write")
    assert pindb.get_pinned() == set()
    assert not any(connections[alias].execute_wrappers[1:] for alias in settings.DATABASES)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("look/",), "'look/' is no path of this site. Type /look/"),
        (("http://shop.test:8000/look/?order=7",), r"no path of this site. Type /look/\?order=7$"),
        (("/look/", "--data", "name"), "--data 'name' is no field. Type --data NAME=VALUE"),
    ],
)
def test_what_is_mistyped_gets_an_answer(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        run(*arguments)


def test_a_streamed_body_is_part_of_the_request() -> None:
    with override_settings(ROOT_URLCONF="tests.shop.urls"):
        (query,) = run_json("/orders.csv")["queries"]
    assert "shop_order" in query["sql"]
    assert query["reason"] == "replica"
    assert connection.alias == "default"
