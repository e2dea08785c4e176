"""Where nobody knows whether a transaction was rolled back, its pin is handed on."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction

from tests.unit.routing.writes.writing import Undo, handed_on, rolled_back

pytestmark = pytest.mark.usefixtures("shop_tables")


class Broken:
    """The driver's connection, whose commit or rollback fails."""

    def __init__(self, raw: Any, error: Exception, *names: str, first: bool = False) -> None:
        self.raw, self.error, self.names, self.first = raw, error, names, first

    def __getattr__(self, name: str) -> Any:
        if name not in self.names:
            return getattr(self.raw, name)

        def fails() -> None:
            if not self.first:
                getattr(self.raw, name)()
            raise self.error

        return fails


@pytest.mark.parametrize(
    ("error", "stays"), [(OperationalError("the server is gone"), True), (IntegrityError("deferred"), False)]
)
def test_a_commit_that_fails_may_have_reached_the_server(write: Any, error: Exception, stays: bool) -> None:
    raw = None
    try:
        with pytest.raises(DatabaseError), transaction.atomic():
            write("Ada")
            raw, connection.connection = (
                connection.connection,
                Broken(connection.connection, error, "commit", first=True),
            )
    finally:
        connection.connection = raw
    assert handed_on() is stays


def test_a_rollback_that_fails_stays(write: Any) -> None:
    raw = connection.connection
    with pytest.raises(Undo), transaction.atomic():
        write("Ada")
        raw, connection.connection = (
            connection.connection,
            Broken(connection.connection, OperationalError(), "rollback"),
        )
        raise Undo
    raw.close()
    assert handed_on()
    rolled_back("Bob", write=write)
    assert handed_on(), "what is left over belongs to no later transaction"


def test_a_connection_closed_in_a_transaction_stays(write: Any) -> None:
    with pytest.raises(Undo), transaction.atomic():
        write("Ada")
        connection.close()
        raise Undo
    assert handed_on()
    rolled_back("Bob", write=write)
    assert handed_on()
