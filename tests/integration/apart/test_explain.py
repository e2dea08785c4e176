"""`manage.py pindb_explain --user` signs a user in without a write, and without a session in the database."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.usefixtures("place")


def test_a_signed_in_user_is_read_on_the_replica_and_nothing_is_written() -> None:
    out = io.StringIO()
    call_command("pindb_explain", "/who", "--user", "ada", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["status"] == 200
    assert {query["reason"] for query in answer["queries"]} == {"replica"}
    tables = [query["sql"].partition(' FROM "')[2].partition('"')[0] for query in answer["queries"]]
    assert tables == ["auth_user", "shop_customer"]


def test_a_user_who_does_not_exist_is_named() -> None:
    with pytest.raises(CommandError, match="There is no user 'bob'"):
        call_command("pindb_explain", "/who", "--user", "bob")
