"""Which statements make a pin, on real servers: whoever sends them, and however."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connections
from psycopg import sql

import pindb
from tests.integration.positions.goods import positions_in, publish, timed_in
from tests.shop.models import Customer


def pins() -> bool:
    """Return whether the DB set is pinned; what is pinned is new then, and handed on."""
    pinned = pindb.is_pinned("goods")
    message = publish()
    assert (pindb.get_newly_pinned() == {"goods"}) is pinned
    assert bool(positions_in(message) or timed_in(message)) is pinned
    return pinned


def execute(statement: Any, parameters: Any = None) -> None:
    with connections["goods"].cursor() as cursor:
        cursor.execute(statement, parameters)


BY_BOTH = {
    "INSERT INTO shop_customer (name) VALUES ('Bob')": True,
    "/* SELECT */ update shop_customer set name = 'Bob'": True,
    "-- SELECT\n DELETE FROM shop_customer": True,
    "UPDATE shop_customer SET name = 'Bob' WHERE id = -1": False,
    "DELETE FROM shop_customer WHERE id = -1": True,
    "CREATE TABLE made (id int)": True,
    "SELECT * FROM shop_customer": False,
    "(SELECT 1) UNION (SELECT 2)": False,
    "SELECT * FROM shop_customer FOR UPDATE": False,
    "WITH x AS (SELECT 1 AS one) SELECT * FROM x": False,
    "SELECT 'insert; update; delete'": False,
    "EXPLAIN UPDATE shop_customer SET name = 'Bob'": False,
    "SAVEPOINT here": False,
}
BY_POSTGRESQL = {
    "WITH x AS (INSERT INTO shop_customer (name) VALUES ('Bob') RETURNING *) SELECT * FROM x": True,
    "WITH x AS (SELECT 'Bob' AS name) INSERT INTO shop_customer (name) SELECT name FROM x": True,
    "INSERT INTO shop_customer (id, name) VALUES (1000, 'Ada') ON CONFLICT DO NOTHING": False,
    "INSERT INTO shop_customer (id, name) VALUES (1000, 'Bob') ON CONFLICT (id) DO UPDATE SET name = 'Bob'": True,
    "EXPLAIN ANALYZE UPDATE shop_customer SET name = 'Bob'": True,
    "EXPLAIN (ANALYZE) SELECT * FROM shop_customer": False,
    "SELECT * INTO made FROM shop_customer": True,
    "CREATE TABLE made AS SELECT * FROM shop_customer": True,
    "SELECT 1; UPDATE shop_customer SET name = 'Bob'": True,
    "TRUNCATE shop_order": True,
    "DO $$ BEGIN UPDATE shop_customer SET name = 'Bob'; END $$": True,
    "MERGE INTO shop_customer c USING (SELECT 1) x ON true WHEN MATCHED THEN UPDATE SET name = 'Bob'": True,
    "VALUES (1)": False,
    "TABLE shop_customer": False,
    "SHOW server_version": False,
    "COPY shop_customer TO STDOUT": False,
}
BY_MYSQL_AND_MARIADB = {
    "REPLACE INTO shop_customer (id, name) VALUES (1000, 'Bob')": True,
    "INSERT IGNORE INTO shop_customer (id, name) VALUES (1000, 'Ada')": True,
    "INSERT INTO shop_customer (id, name) VALUES (1000, 'Ada') ON DUPLICATE KEY UPDATE name = 'Bob'": True,
    "/*!40000 INSERT INTO shop_customer (name) VALUES ('Bob') */": True,
    "SHOW TABLES": False,
    "LOCK TABLES shop_customer READ": False,
}
BY_MARIADB = {
    "/*M! DELETE FROM shop_customer */": True,
    "ANALYZE UPDATE shop_customer SET name = 'Bob'": True,
    "ANALYZE SELECT * FROM shop_customer": False,
}


def check(statement: str, *, writes: bool) -> None:
    try:
        execute(statement)
        assert pins() is writes
    finally:
        with connections["goods"].cursor() as cursor:
            if connections["goods"].vendor == "mysql":
                cursor.execute("UNLOCK TABLES")
            cursor.execute("DROP TABLE IF EXISTS made")


@pytest.mark.parametrize(("statement", "writes"), BY_BOTH.items())
def test_a_statement_that_writes_pins(goods: str, statement: str, writes: bool) -> None:
    if statement.startswith("SAVEPOINT"):
        connections["goods"].set_autocommit(False)
    check(statement, writes=writes)


@pytest.mark.usefixtures("postgresql")
@pytest.mark.parametrize(("statement", "writes"), BY_POSTGRESQL.items())
def test_a_statement_of_postgresql_that_writes_pins(statement: str, writes: bool) -> None:
    if statement.startswith("COPY"):
        with connections["goods"].cursor() as cursor, cursor.copy(statement) as copy:
            list(copy)
        assert pins() is writes
    else:
        check(statement, writes=writes)


@pytest.mark.usefixtures("mysql_or_mariadb")
@pytest.mark.parametrize(("statement", "writes"), BY_MYSQL_AND_MARIADB.items())
def test_a_statement_of_mysql_and_mariadb_that_writes_pins(statement: str, writes: bool) -> None:
    check(statement, writes=writes)


@pytest.mark.usefixtures("mariadb")
@pytest.mark.parametrize(("statement", "writes"), BY_MARIADB.items())
def test_a_statement_of_mariadb_that_writes_pins(statement: str, writes: bool) -> None:
    check(statement, writes=writes)


def ada() -> Customer:
    return Customer.objects.using("goods").get(name="Ada")


def save_using() -> None:
    customer = ada()
    customer.name = "Bob"
    customer.save(using="goods")


def many() -> None:
    with connections["goods"].cursor() as cursor:
        cursor.executemany("INSERT INTO shop_customer (name) VALUES (%s)", [["Bob"], ["Cid"]])


OTHERS: dict[str, tuple[Callable[[], object], bool]] = {
    "using().create": (lambda: Customer.objects.using("goods").create(name="Bob"), True),
    "using().bulk_create": (lambda: Customer.objects.using("goods").bulk_create([Customer(name="Bob")]), True),
    "using().update": (lambda: Customer.objects.using("goods").update(name="Bob"), True),
    "using().update of none": (lambda: Customer.objects.using("goods").filter(pk=-1).update(name="Bob"), False),
    "using().delete": (lambda: Customer.objects.using("goods").all().delete(), True),
    "save(using=)": (save_using, True),
    "executemany": (many, True),
    "bulk_create of what is there": (
        lambda: Customer.objects.using("goods").bulk_create([Customer(id=1000, name="Ada")], ignore_conflicts=True),
        None,
    ),
    "a list": (lambda: list(Customer.objects.using("goods")), False),
    "iterator": (lambda: list(Customer.objects.using("goods").iterator(chunk_size=1)), False),
    "explain(analyze=True)": (lambda: Customer.objects.using("goods").explain(), False),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_django_writes_by_another_way_than_the_router_pins(goods: str, what: str) -> None:
    run, writes = OTHERS[what]
    run()
    if writes is None:
        writes = goods == "mysql"  # INSERT IGNORE: a trigger may have written
    assert pins() is writes


@pytest.mark.usefixtures("postgresql")
def test_a_cte_that_writes_behind_raw_pins() -> None:
    statement = "WITH x AS (INSERT INTO shop_customer (name) VALUES ('Bob') RETURNING *) SELECT * FROM x"
    assert [customer.name for customer in Customer.objects.using("goods").raw(statement)] == ["Bob"]
    assert pins()


@pytest.mark.usefixtures("postgresql")
@pytest.mark.parametrize(
    ("statement", "writes"),
    [
        (sql.SQL("INSERT INTO {} (name) VALUES ('Bob')").format(sql.Identifier("shop_customer")), True),
        (sql.SQL("SELECT * FROM {}").format(sql.Identifier("shop_customer")), False),
        (b"DELETE FROM shop_customer", True),
        (b"SELECT 1", False),
    ],
)
def test_statements_that_are_no_text_are_read_as_well(statement: Any, writes: bool) -> None:
    execute(statement)
    assert pins() is writes


@pytest.mark.parametrize("debug", [False, True])
def test_a_procedure_pins(goods: str, debug: bool) -> None:
    connection = connections["goods"]
    if goods == "mysql":
        procedure = "PROCEDURE charge() INSERT INTO shop_customer (name) VALUES ('Bob')"
    else:
        procedure = (
            "FUNCTION charge() RETURNS void LANGUAGE sql AS $$ INSERT INTO shop_customer (name) VALUES ('Bob') $$"
        )
    with pindb.pinning_context():
        execute(f"CREATE {procedure}")
    try:
        connection.force_debug_cursor = debug
        with connection.cursor() as cursor:
            cursor.callproc("charge")
        assert pins()
        assert Customer.objects.using("goods").filter(name="Bob").exists()
    finally:
        connection.force_debug_cursor = False
        execute("DROP FUNCTION charge()" if goods == "postgresql" else "DROP PROCEDURE charge")


@pytest.mark.usefixtures("postgresql")
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_copy_into_a_table_pins(debug: bool, fails: bool) -> None:
    connection = connections["goods"]
    connection.force_debug_cursor = debug
    try:
        with connection.cursor() as cursor:
            statement = "COPY shop_customer (name) FROM STDIN"
            if fails:
                with pytest.raises(Exception, match="duplicate key"), cursor.copy(statement) as copy:
                    copy.write_row(["Ada"])
            else:
                with cursor.copy(statement) as copy:
                    copy.write_row(["Bob"])
    finally:
        connection.force_debug_cursor = False
    assert pins()


@pytest.mark.usefixtures("postgresql")
def test_a_streamed_statement_that_writes_pins_from_its_first_row_on() -> None:
    with connections["goods"].cursor() as cursor:
        cursor.execute("INSERT INTO shop_customer (name) VALUES ('stream 1'), ('stream 2')")
        pindb.unpin_all()
        rows = cursor.stream("UPDATE shop_customer SET name = name || '!' WHERE name LIKE 'stream%' RETURNING name")
        next(rows)
        assert pins()
        assert len(list(rows)) == 1
        pindb.unpin_all()
        assert len(list(cursor.stream("SELECT name FROM shop_customer WHERE name LIKE 'stream%'"))) == 2
    assert not pins()


@pytest.mark.usefixtures("postgresql")
def test_copy_over_a_connection_of_a_pool_pins() -> None:
    pytest.importorskip("psycopg_pool")
    connection = connections["goods"]
    connection.close()
    connection.settings_dict["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 1}}
    connection.settings_dict["CONN_MAX_AGE"] = 0
    try:
        for _ in range(2):
            with pindb.pinning_context():
                with connection.cursor() as cursor, cursor.copy("COPY shop_customer (name) FROM STDIN") as copy:
                    copy.write(io.BytesIO(b"").read())
                assert pins()
                execute("SELECT 1")
            with pindb.pinning_context():
                execute("SELECT 1")
                assert not pins()
            connection.close()
    finally:
        connection.close_pool()  # type: ignore[attr-defined]
        connection.settings_dict["OPTIONS"] = {}


@pytest.mark.usefixtures("postgresql")
def test_a_function_in_a_select_is_the_business_of_pin() -> None:
    """As documented: its words do not say that it writes."""
    execute("CREATE FUNCTION pays() RETURNS void LANGUAGE sql AS $$ UPDATE shop_customer SET name = 'Bob' $$")
    try:
        with pindb.pinning_context():
            execute("SELECT pays()")
            assert not pins()
    finally:
        execute("DROP FUNCTION pays")


def test_an_error_tells_whether_a_statement_may_have_written(goods: str) -> None:
    with pindb.pinning_context():
        with pytest.raises(DatabaseError):
            execute("INSERT INTO shop_customer (id, name) VALUES (1000, 'Ada')")
        assert not pins(), "refused"
    with pindb.pinning_context():
        with pytest.raises(DatabaseError):
            execute("INSERT INTO nowhere VALUES (1)")
        assert not pins(), "refused"
    connection = connections["goods"]
    connection.ensure_connection()
    number = connection.connection.info.backend_pid if goods == "postgresql" else connection.connection.thread_id()
    kill = f"SELECT pg_terminate_backend({number})" if goods == "postgresql" else f"KILL {number}"
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute(kill)
    other.close()
    with pytest.raises(DatabaseError):
        execute("INSERT INTO shop_customer (name) VALUES ('Bob')")
    connection.close()
    assert pindb.get_newly_pinned() == {"goods"}, "nobody knows"
