"""`manage.py pindb_explain` on real servers: a user is signed in without a write, a task reads the standby."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connections

from tests.shop.models import Customer

pytestmark = pytest.mark.usefixtures("place")


def find(name: str) -> None:
    """A task that reads a row, which the standby has."""
    Customer.objects.get(name=name)


def rename(name: str, new_name: str) -> None:
    """A task that decides on a row of the standby, and writes."""
    customer = Customer.objects.get(name=name)
    customer.name = new_name
    customer.save()


def explained(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("pindb_explain", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_a_signed_in_user_is_read_on_the_replica_and_nothing_is_written() -> None:
    answer = explained("/who", "--user", "ada")
    assert answer["status"] == 200
    assert {query["reason"] for query in answer["queries"]} == {"replica"}
    assert [query["table"] for query in answer["queries"]] == ["auth_user", "shop_customer"]


def test_a_user_who_does_not_exist_is_named() -> None:
    with pytest.raises(CommandError, match="There is no user 'bob'"):
        call_command("pindb_explain", "/who", "--user", "bob")


def test_a_user_who_cannot_be_looked_up_is_told_without_a_traceback() -> None:
    def refuse(*_args: Any) -> None:
        raise ProgrammingError('relation "auth_user" does not exist')  # not there yet

    with connections["default-1"].execute_wrapper(refuse), pytest.raises(CommandError) as caught:
        call_command("pindb_explain", "/who", "--user", "ada")
    assert str(caught.value).startswith("The user 'ada' could not be looked up (ProgrammingError: relation")
    assert "Type manage.py pindb_status" in str(caught.value)


def test_a_task_reads_the_replica() -> None:
    (query,) = explained("--task", f"{__name__}.find", "--args", '["Ada"]', "--write")["queries"]
    assert (query["alias"], query["table"], query["reason"]) == ("default-1", "shop_customer", "replica")


def test_a_write_that_the_strict_router_refuses_is_told_after_the_reads_before_it(router: str) -> None:
    arguments = ("--task", f"{__name__}.rename", "--args", '["Ada", "Ada"]', "--write")
    if router == "GreedyPinDbRouter":
        assert [query["reason"] for query in explained(*arguments)["queries"]] == ["replica", "write"]
        return
    out = io.StringIO()
    with pytest.raises(CommandError, match="The task has raised UnpinnedWriteException: A write to 'default'"):
        call_command("pindb_explain", *arguments, stdout=out)
    assert "1 queries, 1 reads: 1 on replicas." in out.getvalue()
