"""Which errors of the drivers mean that a replica could not finish a read. Real ones: tests/integration/health."""

from __future__ import annotations

from typing import Any

import psycopg
import pymysql
import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError, connections
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL

from pindb import interrupts
from pindb.servers.vendors.read_failures import ReadFailure, read_failure

POSTGRESQL = PostgreSQL({"ENGINE": "django.db.backends.postgresql"}, "replica")
MYSQL = type("MySQL", (), {"vendor": "mysql", "Database": pymysql, "connection": 1, "is_usable": lambda _: True})()

LOST, CONFLICT = ReadFailure.LOST, ReadFailure.CONFLICT


def judged(connection: Any, error: Exception, kind: type[Exception] = OperationalError) -> ReadFailure | None:
    """Return what `error`, a driver's, means once Django has turned it into one of its own."""
    with pytest.raises(kind) as wrapped:
        raise kind(*error.args) from error
    return read_failure(connection, wrapped.value)


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        *((code, LOST) for code in ("08000", "08001", "08003", "08004", "08006", "53300")),
        *((f"57P0{number}", LOST) for number in range(1, 6)),
        *((code, CONFLICT) for code in ("40001", "40P01")),
        *((code, None) for code in ("57014", "25006", "42P01", "53200", "55P03", "25P02", "XX000")),
    ],
)
def test_postgresql_is_judged_by_its_code(code: str, failure: ReadFailure | None) -> None:
    error = psycopg.errors.lookup(code)("said the server") if code != "08004" else psycopg.OperationalError()
    error.sqlstate = code
    assert judged(POSTGRESQL, error) is failure
    assert read_failure(POSTGRESQL, error) is failure, "as the driver raises it"


def test_without_a_code_an_operational_or_interface_error_of_the_driver_means_that_the_server_is_lost() -> None:
    assert judged(POSTGRESQL, psycopg.OperationalError("the connection is closed")) is LOST
    assert judged(POSTGRESQL, psycopg.InterfaceError("already closed"), InterfaceError) is LOST
    assert judged(POSTGRESQL, psycopg.ProgrammingError("no such thing"), ProgrammingError) is None
    assert judged(POSTGRESQL, psycopg.DatabaseError("what"), DatabaseError) is None
    assert judged(MYSQL, pymysql.InterfaceError(0, ""), InterfaceError) is LOST
    assert judged(MYSQL, pymysql.OperationalError("no connection")) is LOST
    assert judged(MYSQL, pymysql.ProgrammingError("what"), ProgrammingError) is None


@pytest.mark.parametrize("code", [1040, 1053, 1203, 1927, 2002, 2003, 2006, 2013, 2055, 3032, 4031])
def test_mysql_is_judged_by_its_number(code: int) -> None:
    assert judged(MYSQL, pymysql.OperationalError(code, "said the server")) is LOST


@pytest.mark.parametrize("code", [1317, 1969, 3024, 1205, 1213, 1054, 1045, 1290, 2014])
def test_a_timeout_a_cancelled_query_and_an_error_of_its_own_are_no_failures_of_mysql(code: int) -> None:
    assert judged(MYSQL, pymysql.OperationalError(code, "said the server")) is None


def test_errors_of_django_itself_of_other_code_and_of_vendors_without_a_server_are_no_failures() -> None:
    lost = psycopg.OperationalError("the connection is closed")
    for kind in (ProgrammingError, ValueError):
        with pytest.raises(kind) as raised:
            try:
                raise lost
            except psycopg.Error:
                raise kind("in the code that handles it")  # noqa: B904
        assert read_failure(POSTGRESQL, raised.value) is None
    assert read_failure(connections["default-1"], OperationalError("database is locked")) is None


@pytest.mark.parametrize(("code", "failure"), [("40001", CONFLICT), ("57P01", LOST), ("57014", None)])
def test_the_error_behind_a_cursor_that_could_not_be_closed_counts(code: str, failure: ReadFailure | None) -> None:
    """So psycopg2 has it with server-side cursors: Django does not turn the second one into its own."""
    cause = psycopg.errors.lookup(code)("said the server")
    with pytest.raises(psycopg.Error) as hiding:
        try:
            raise OperationalError("said the server") from cause  # noqa: TRY301
        except OperationalError:
            raise psycopg.errors.InvalidCursorName('cursor "x" does not exist')  # noqa: B904
    assert read_failure(POSTGRESQL, hiding.value) is failure
    assert judged(POSTGRESQL, hiding.value) is failure
    assert judged(POSTGRESQL, psycopg.errors.InvalidCursorName("alone")) is None


class TimeIsUpError(Exception):
    """As a task queue raises it into running code."""


@pytest.mark.parametrize("kind", [TimeIsUpError, KeyboardInterrupt, GeneratorExit])
def test_an_error_that_an_interrupt_has_led_to_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    monkeypatch.setattr(interrupts, "types", (TimeIsUpError,))
    error = psycopg.OperationalError("another command is already in progress")
    error.__context__ = kind()
    assert judged(POSTGRESQL, error) is None
    assert read_failure(POSTGRESQL, error) is None
