"""What a statement does, by its words: what writes is never taken for a read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql as psycopg_sql

from pindb.routing.writes import statements
from pindb.routing.writes.statements import Effect, effect_of, first_table_of, row_count_tells, table_of

WRITES = [
    "INSERT INTO shop_order VALUES (1)",
    "UPDATE shop_order SET total = 1",
    "DELETE FROM shop_order",
    "MERGE INTO shop_order USING x ON true WHEN MATCHED THEN DELETE",
    "REPLACE INTO shop_order VALUES (1)",
    "WITH gone AS (DELETE FROM shop_order RETURNING *) SELECT * FROM gone",
    "WITH x AS (SELECT 1) INSERT INTO shop_order SELECT * FROM x",
    "WITH RECURSIVE x AS (SELECT 1) UPDATE shop_order SET total = 1",
    "EXPLAIN ANALYZE UPDATE shop_order SET total = 1",
    "EXPLAIN (ANALYZE, BUFFERS) DELETE FROM shop_order",
    "EXPLAIN ANALYZE EXECUTE charge",
    "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
    "ANALYZE FORMAT=JSON UPDATE shop_order SET total = (SELECT 1)",
    "COPY shop_order FROM STDIN",
    'COPY "to" (id, total) FROM STDIN',
    "COPY (DELETE FROM shop_order RETURNING *) TO STDOUT",
]
OTHERS = [
    "COMMIT PREPARED 'x'",
    "SELECT * INTO copied FROM shop_order",
    'SELECT "id" INTO copied FROM "shop_order"',
    "CREATE TABLE x (id int)",
    "CREATE TABLE x AS SELECT 1",
    "TRUNCATE shop_order",
    "DROP TABLE x",
    "ALTER TABLE x ADD y int",
    "CALL charge(1)",
    "EXECUTE charge",
    "LOAD DATA INFILE 'x' INTO TABLE shop_order",
    "REFRESH MATERIALIZED VIEW totals",
    "/*!40000 INSERT INTO shop_order VALUES (1) */",
    "/*M!100100 DELETE FROM shop_order */",
    "{call charge(1)}",
    "whatever this is",
]
READS = [
    "SELECT 1",
    "SELECT * FROM shop_order FOR UPDATE",
    "SELECT 'into the wild; delete from x' FROM shop_order",
    'SELECT "update", `into` FROM x',
    "VALUES (1)",
    "TABLE shop_order",
    "WITH x AS (SELECT replace(name, 'insert', 'delete') FROM y) SELECT * FROM x FOR NO KEY UPDATE",
    "WITH deleted AS (SELECT is_delete, last_update FROM y) SELECT * FROM deleted",
    "EXPLAIN UPDATE shop_order SET total = 1",
    "EXPLAIN ANALYZE SELECT * FROM shop_order",
    "EXPLAIN QUERY PLAN DELETE FROM shop_order",
    "ANALYZE FORMAT=JSON SELECT 1",
    "COPY shop_order TO STDOUT",
    'COPY "from" (id) TO STDOUT',
    "COPY (SELECT * FROM shop_order) TO STDOUT",
    "DECLARE c CURSOR FOR SELECT 1",
    "SHOW server_version",
    "PRAGMA foreign_keys = OFF",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "SAVEPOINT s1",
    "RELEASE SAVEPOINT s1",
    "ROLLBACK TO SAVEPOINT s1",
    "",
    "  ;",
    "-- nothing",
]
BOUNDARIES = ["BEGIN", "BEGIN IMMEDIATE", "START TRANSACTION", "COMMIT", "END", "SET autocommit = 1"]


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        *((text, Effect.WRITE) for text in WRITES),
        *((text, Effect.OTHER) for text in OTHERS),
        *((text, Effect.READ) for text in READS),
        *((text, Effect.BOUNDARY) for text in BOUNDARIES),
        ('SELECT "id" FROM "shop_order"', Effect.QUERY),
        ("SELECT `id`\nFROM x, (SELECT 1 FROM `shop_order`)", Effect.QUERY),
        ("LOCK TABLES x WRITE", Effect.LOCK),
        ("UNLOCK TABLES", Effect.LOCK),
        ("BEGIN; DELETE FROM x; COMMIT", Effect.SCRIPT),
        ("COMMIT; BEGIN", Effect.SCRIPT),
        ("DO $$ BEGIN DELETE FROM x; END $$", Effect.SCRIPT),
        ("SELECT 1; UPDATE x SET y = 1", Effect.OTHER),
        ("SELECT 1; SELECT 2", Effect.READ),
    ],
)
def test_a_statement_is_judged_by_its_words(text: str, effect: Effect) -> None:
    assert effect_of(text) is effect


BLANKS = st.text("\t\n\r ", min_size=1, max_size=3)
COMMENT_TEXT = st.text("abc '\"`;-\\$#[(", max_size=8)
COMMENTS = st.one_of(
    BLANKS,
    COMMENT_TEXT.map("/*{}*/".format),
    st.sampled_from(["/* SELECT */", "/*+ SeqScan(x) */", "-- SELECT 1\n", "--\n"]),
    COMMENT_TEXT.map(" -- {}\n".format),
)


@given(st.data(), st.sampled_from(WRITES + OTHERS), st.booleans())
def test_neither_case_nor_blanks_nor_comments_hide_a_write(data: st.DataObject, text: str, parenthesis: bool) -> None:
    parts = []
    for word in text.split(" "):
        upper = data.draw(st.lists(st.booleans(), min_size=len(word), max_size=len(word)))
        parts.append("".join(letter.upper() if up else letter.lower() for letter, up in zip(word, upper, strict=True)))
        parts.append(data.draw(COMMENTS))
    before = "".join(data.draw(st.lists(COMMENTS, max_size=3)))
    hostile = before + ("(" if parenthesis else "") + "".join(parts)
    assert effect_of(hostile).writes, hostile


# What ends or begins a literal or a comment somewhere: a write between two of these is code for one vendor at least.
QUOTES = st.lists(
    st.sampled_from(
        ["'", '"', "`", "''", "\\'", "$$", "$x$", "/*", "*/", "--", "-- ", "#", "\n", "\r", ";", "[", "]", " x "]
    ),
    max_size=6,
).map("".join)


def code_of_postgresql(text: str) -> str:
    """Return `text` without literals and comments, as PostgreSQL reads it; written without a look at pindb's code."""
    code, place = "", 0
    while place < len(text):
        rest = text[place:]
        if rest.startswith("--"):
            place += min((rest.find(end) for end in "\n\r" if end in rest), default=len(rest))
        elif rest.startswith("/*"):
            depth, place = 1, place + 2
            while depth and place < len(text):
                step = {"/*": 1, "*/": -1}.get(text[place : place + 2], 0)
                depth, place = depth + step, place + (2 if step else 1)
        elif rest[0] in "'\"":
            end = text.find(rest[0], place + 1)
            place = len(text) if end < 0 else end + 1
        elif rest.startswith(("$$", "$x$")):
            tag = "$$" if rest.startswith("$$") else "$x$"
            end = text.find(tag, place + len(tag))
            place = len(text) if end < 0 else end + len(tag)
        else:
            code += rest[0]
            place += 1
            continue
        code += " "
    return code


def code_of_mysql(text: str) -> str:
    """Return `text` without literals and comments, as MySQL reads it."""
    code, place = "", 0
    while place < len(text):
        rest = text[place:]
        if rest.startswith("#") or (rest.startswith("--") and (len(rest) == 2 or rest[2].isspace())):
            place = len(text) if "\n" not in rest else place + rest.index("\n")
        elif rest.startswith("/*"):
            end = text.find("*/", place + 2)
            place = len(text) if end < 0 else end + 2
        elif rest[0] in "'\"`":
            place += 1
            while place < len(text) and text[place] != rest[0]:
                place += 2 if text[place] == "\\" and rest[0] != "`" else 1
            place += 1
        else:
            code += rest[0]
            place += 1
            continue
        code += " "
    return code


@pytest.mark.parametrize("code_of", [code_of_postgresql, code_of_mysql])
@given(first=QUOTES, second=QUOTES, third=QUOTES)
def test_no_quotes_of_any_vendor_hide_a_second_statement_or_a_cte_that_writes(
    code_of: object, first: str, second: str, third: str
) -> None:
    for text in (
        f"SELECT 1 {first}; DELETE FROM x {second}; SELECT 2 {third}",
        f"WITH x AS (SELECT 1 {first}), y AS (DELETE FROM x) {second} SELECT 1 {third}",
        f"{first} DELETE FROM x {second}",
    ):
        code = code_of(text)  # type: ignore[operator]
        begins = [statement.split() for statement in code.split(";")]
        seen = any(words[:1] == ["DELETE"] for words in begins) or (code.startswith("WITH") and "DELETE" in code)
        if seen:
            assert effect_of(text).writes, text


def test_bytes_and_objects_of_psycopg_are_read_as_well() -> None:
    name = psycopg_sql.Identifier("shop_order")
    assert effect_of(b"DELETE FROM x") is Effect.WRITE
    assert effect_of(psycopg_sql.SQL("DELETE FROM {}").format(name)) is Effect.WRITE
    assert effect_of(psycopg_sql.SQL("SELECT * FROM {}").format(name)) is Effect.QUERY
    assert effect_of(object()) is Effect.OTHER


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("UPDATE x SET y = 1", True),
        (" /* a */ update x SET y = 1", True),
        ("INSERT INTO x VALUES (1) ON CONFLICT DO NOTHING", True),
        ("INSERT INTO x VALUES (1)", False),
        ("DELETE FROM x", False),
        ("UPDATE x SET y = 1 RETURNING y", False),
        ("INSERT INTO x VALUES (1) ON CONFLICT DO NOTHING RETURNING y", False),
        ("UPDATE x SET y = 1; UPDATE z SET y = 1", False),
        (b"UPDATE x SET y = 1", False),
    ],
)
def test_a_row_count_of_zero_tells_where_no_trigger_and_no_driver_misleads(text: object, tells: bool) -> None:
    assert row_count_tells(text) is tells


def test_long_texts_are_not_kept() -> None:
    statements.remembered.cache_clear()
    assert effect_of("DELETE FROM x") is effect_of("DELETE FROM x WHERE y IN (" + "1, " * 5000 + "1)") is Effect.WRITE
    assert statements.remembered.cache_info().currsize == 1


@pytest.mark.parametrize(
    "sql",
    [
        'INSERT INTO "shop_order" ("total") VALUES (%s)',
        'INSERT OR IGNORE INTO "shop_order" ("total") VALUES (%s)',
        "INSERT IGNORE INTO `shop_order` (`total`) VALUES (%s)",
        'UPDATE "shop_order" SET "total" = 1',
        'DELETE FROM "shop_order" WHERE id = 1',
        'DELETE FROM "shop_order"',
        'INSERT INTO "shop_order" ("total") VALUES (1)' + " " * statements.CACHED_LENGTH,
    ],
)
def test_the_table_of_a_write_as_django_writes_it_is_known(sql: str) -> None:
    assert table_of(sql) == "shop_order"


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO shop_order VALUES (1)",
        "update `shop_order` set total = 1",
        "UPDATE `a`, `shop_order` SET total = 1",
        "UPDATE `a` JOIN `shop_order` SET total = 1",
        'UPDATE "a"."shop_order" SET total = 1',
        'UPDATE ONLY "a" SET total = 1',
        "DELETE FROM `a`, `shop_order` USING `a`",
        "DELETE FROM `a` USING `shop_order` AS `a` JOIN `b` ON `b`.id = `a`.id",
        'INSERT INTO "a""b" VALUES (1)',
        'WITH x AS (DELETE FROM "shop_order") INSERT INTO "a" SELECT 1',
        '/* x */ DELETE FROM "shop_order"',
    ],
)
def test_the_table_of_any_other_write_is_not(sql: str) -> None:
    assert table_of(sql) == ""


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT "shop_order"."id" FROM "shop_order" INNER JOIN "shop_customer" ON (1 = 1)',
        "SELECT `id` FROM `shop_order` LIMIT 1",
        'SELECT (SELECT COUNT(U0."id") FROM "shop_invoice" U0 WHERE (1 = 1)) AS "n", 1 FROM "shop_order"',
        'SELECT COUNT(*) FROM (SELECT DISTINCT "id" AS "col1" FROM "shop_order") subquery',
        'UPDATE "shop_order" SET "total" = (SELECT 1 FROM "shop_invoice")',
    ],
)
def test_the_first_table_of_a_statement_as_django_writes_it_is_known(sql: str) -> None:
    assert first_table_of(sql) == "shop_order"


@pytest.mark.parametrize("sql", ["SELECT 1", "SELECT id FROM shop_order", "BEGIN", "SELECT (", ""])
def test_the_first_table_of_any_other_statement_is_not(sql: str) -> None:
    assert first_table_of(sql) == ""
