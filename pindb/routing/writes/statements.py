"""Tells by its words what a statement does to the database.

Vendors disagree about quotes and comments. In doubt a statement counts as a write. A read that is taken for a write
costs reads on the master; a write that is taken for a read causes stale reads. A function that writes inside a
`SELECT` is not seen.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import Any, Final


class Commits(Enum):
    """Whether a statement commits what its transaction has written before it."""

    NEVER = "never"
    LIKE_DDL = "on a server without transactional DDL (MySQL, MariaDB)"
    PERHAPS = "perhaps, on every server"


class Effect(Enum):
    """What a statement does: whether it may write, and whether it commits."""

    QUERY = ("a SELECT as Django writes it", False, Commits.NEVER)
    READ = ("reads; a function that it calls may write", False, Commits.NEVER)
    WRITE = ("changes rows", True, Commits.NEVER)
    OTHER = ("DDL, a procedure, or unknown", True, Commits.LIKE_DDL)
    LOCK = ("locks tables", False, Commits.LIKE_DDL)
    BOUNDARY = ("begins or ends a transaction", False, Commits.PERHAPS)
    SCRIPT = ("several statements, of which one begins or ends a transaction", True, Commits.PERHAPS)

    def __init__(self, meaning: str, writes: bool, commits: Commits) -> None:
        self.meaning = meaning
        self.writes = writes
        self.commits = commits


NEVER: Final = Commits.NEVER
QUERY: Final = Effect.QUERY
WRITE: Final = Effect.WRITE
"""Looking a member up in its class costs much on Python 3.11."""

CACHE_SIZE: Final = 1024
"""How many statements are cached with their effect. An application repeats its statements."""

CACHED_LENGTH: Final = 4096
"""Longer statements are not cached."""

FIRST_WORD: Final = re.compile(
    r"(?:[\s(]|--[^\n\r]*|\#[^\n\r]*|/\*(?![Mm]?!)(?:(?!/\*).)*?\*/)*+(\w*)", re.DOTALL | re.ASCII
)
"""The first word after blanks, parentheses and comments. Empty at `/*! ... */`, which MySQL and MariaDB execute."""

CHANGES_ROWS: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"})

EFFECTS: Final = {
    **dict.fromkeys(("VALUES", "TABLE", "SHOW", "FETCH", "MOVE", "CLOSE", "PRAGMA", "SET", "RESET"), Effect.READ),
    **dict.fromkeys(("USE", "LISTEN", "UNLISTEN", "DEALLOCATE"), Effect.READ),
    **dict.fromkeys(("SAVEPOINT", "RELEASE", "ROLLBACK", "ABORT"), Effect.READ),
    **dict.fromkeys(("LOCK", "UNLOCK"), Effect.LOCK),
    **dict.fromkeys(("BEGIN", "START", "COMMIT", "END"), Effect.BOUNDARY),
    **dict.fromkeys(CHANGES_ROWS, Effect.WRITE),
}
"""Maps the first word to the effect. Any other word is `OTHER`."""

DJANGOS_SELECT: Final = re.compile(r"""SELECT\b.*? FROM ["`]""", re.DOTALL)
"""Django quotes names. A SELECT written by hand, `SELECT charge(5)`, may write."""

DJANGOS_WRITE: Final = re.compile(
    r"""(?:INSERT (?:(?:OR )?IGNORE )?INTO|DELETE FROM(?= ["`][^"`]+["`](?: WHERE |$))|"""
    r"""UPDATE(?= ["`][^"`]+["`] SET )) ["`]([^"`]+)["`](?: |$)"""
)
"""Django quotes the name of the one table that it changes. MySQL's `UPDATE a, b SET` changes several, and its
`DELETE FROM a USING b AS a` another one."""

DJANGOS_TABLE: Final = re.compile(r"""SELECT\b.*? FROM ["`]([^"`]+)["`]""", re.DOTALL)
INNERMOST: Final = re.compile(r"\([^()]*\)")

INTO: Final = re.compile(r"\bINTO\b", re.IGNORECASE)
LOCKS_ROWS: Final = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b", re.IGNORECASE)
WRITES_INSIDE: Final = re.compile(
    r"\b(?:INSERT|UPDATE|DELETE|MERGE|INTO|EXECUTE|CREATE|REPLACE(?!\s*\())\b", re.IGNORECASE
)
"""A word that every statement contains which begins with WITH or EXPLAIN, and writes."""

EXECUTES: Final = re.compile(r"\bANALY[SZ]E\b", re.IGNORECASE)
"""EXPLAIN with this word executes its statement."""

ON_CONFLICT: Final = re.compile(r"\bON\s+CONFLICT\b", re.IGNORECASE)
RETURNING: Final = re.compile(r"\bRETURNING\b", re.IGNORECASE)
DIRECTION: Final = re.compile(r"\b(?:FROM|TO)\b", re.IGNORECASE)
PREPARED: Final = re.compile(r"\bPREPARED\b", re.IGNORECASE)
AUTOCOMMIT: Final = re.compile(r"\bautocommit\b", re.IGNORECASE)

LITERAL: Final = re.compile(r"""--[^\n\r]*|/\*.*?\*/|'[^']*'|"[^"]*\"""", re.DOTALL)
MYSQL_NAME: Final = re.compile(r"`\w+`", re.ASCII)
AMBIGUOUS: Final = re.compile(r"[\\$#\[`]|\r(?!\n)|--(?!\s)|/\*[Mm]?!", re.ASCII)
"""Characters that begin or end a literal or a comment for one vendor, and mean something else for another."""


def effect_of(sql: Any, raw_connection: Any = None) -> Effect:
    """Return the effect of `sql`, which is text, bytes, or an SQL object of psycopg.

    psycopg may need `raw_connection`, its own connection, to make text of the object.
    """
    if isinstance(sql, str):
        return remembered(sql) if len(sql) <= CACHED_LENGTH else _effect(sql)
    try:
        return _effect(sql.decode("latin-1") if isinstance(sql, bytes) else sql.as_string(raw_connection))
    except Exception:  # only the driver understands it
        return Effect.OTHER


def table_of(sql: str) -> str:
    """Return the table that `sql`, of the effect `WRITE`, changes; "" if it is not written as Django writes it."""
    return _remembered_table(sql) if len(sql) <= CACHED_LENGTH else _table(sql)


def first_table_of(sql: str) -> str:
    """Return the table that `sql` changes, or the first one that it reads; "" if it is not written as Django writes it.

    For the eye: of a query on a subquery it is the first table inside.
    """
    outer, before = sql, ""
    while outer != before:
        outer, before = INNERMOST.sub("", outer), outer
    match = DJANGOS_TABLE.match(outer) or DJANGOS_TABLE.match(sql)
    return table_of(sql) if match is None else match[1]


def _table(sql: str) -> str:
    match = DJANGOS_WRITE.match(sql)
    return "" if match is None else match[1]


_remembered_table: Final = lru_cache(CACHE_SIZE)(_table)


def row_count_tells(sql: Any) -> bool:
    """Return whether a row count of 0 means that `sql`, of the effect `WRITE`, has written nothing.

    It does for UPDATE and ON CONFLICT. It does not for other INSERTs and for DELETE: a trigger may skip the row and
    write elsewhere. Nor does it with RETURNING: SQLite counts 0 rows until they are fetched.
    """
    if not isinstance(sql, str) or ";" in sql or RETURNING.search(sql):
        return False
    word = _first_word(sql)
    return word == "UPDATE" or (word == "INSERT" and ON_CONFLICT.search(sql) is not None)


def _effect(sql: str) -> Effect:
    effect = _of_text(sql)
    if not effect.writes or (effect is Effect.WRITE and _first_word(sql) in CHANGES_ROWS):
        return effect
    # A literal or a comment may look like a write, or like a second statement.
    code = _without_literals(sql)
    return effect if code is None else _of_text(code)


remembered: Final = lru_cache(CACHE_SIZE)(_effect)


def _of_text(sql: str) -> Effect:
    """Return the effect of `sql`, as if it had no literals and no comments."""
    statements = [part for part in sql.split(";") if part.strip()] if ";" in sql else [sql]
    if len(statements) < 2:
        return _of_statement("".join(statements))
    effects = set(map(_of_statement, statements))
    if Effect.BOUNDARY in effects:
        return Effect.SCRIPT
    if any(effect.writes for effect in effects) or WRITES_INSIDE.search(sql):
        return Effect.OTHER
    return Effect.READ


def _of_statement(sql: str) -> Effect:
    word = _first_word(sql)
    if word == "SELECT":
        if "into" in sql.lower() and INTO.search(sql):
            return Effect.OTHER
        return Effect.QUERY if DJANGOS_SELECT.match(sql) else Effect.READ
    if word in ("WITH", "DECLARE") or (word == "ANALYZE" and "SELECT" in sql.upper()):  # MariaDB's EXPLAIN ANALYZE
        return _unless_it_writes_inside(sql)
    if word in ("EXPLAIN", "DESCRIBE", "DESC"):
        return _unless_it_writes_inside(sql) if EXECUTES.search(sql) else Effect.READ
    if word == "COPY":
        return _of_copy(sql)
    if word == "COMMIT" and PREPARED.search(sql):  # the writes of a transaction that any connection has prepared
        return Effect.OTHER
    if word == "SET" and AUTOCOMMIT.search(sql):
        return Effect.BOUNDARY
    if word is None:
        return Effect.READ
    return EFFECTS.get(word, Effect.OTHER)


def _first_word(sql: str) -> str | None:
    """Return the first word in upper case; "" if something else comes first, None if `sql` is empty."""
    match = FIRST_WORD.match(sql)
    word = match[1].upper() if match else ""
    return word or (None if match and match.end() == len(sql) else "")


def _unless_it_writes_inside(sql: str) -> Effect:
    return Effect.WRITE if WRITES_INSIDE.search(LOCKS_ROWS.sub("", sql)) else Effect.READ


def _of_copy(sql: str) -> Effect:
    """Return the effect of COPY. It reads if it copies a table, or the rows of a SELECT, TO somewhere."""
    match = FIRST_WORD.match(sql)
    source = sql[match.end() if match else 0 :].upper().lstrip()
    if WRITES_INSIDE.search(source) or "--" in source or "/*" in source:  # a comment may hold a quote
        return Effect.WRITE
    direction = DIRECTION.search(re.sub(r'"[^"]*"', "", source))
    reads = source.startswith("(") or (direction is not None and direction[0] == "TO")
    return Effect.READ if reads else Effect.WRITE


def _without_literals(sql: str) -> str | None:
    """Return `sql` without literals and comments; None if vendors disagree about where these begin and end."""
    sql = MYSQL_NAME.sub("name", sql)
    if AMBIGUOUS.search(sql):
        return None
    comments = [literal for literal in LITERAL.findall(sql) if literal.startswith("/*")]
    if any("/*" in comment[2:] for comment in comments):  # PostgreSQL nests comments
        return None
    return LITERAL.sub(lambda match: " " if match[0][0] in "-/" else '""', sql)
