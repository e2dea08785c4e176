"""`BesideServers`: asks masters and replicas beside the application, over connections of its own.

The recorder learns from it what the other servers would have answered. Nothing of this goes through Django.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

import psycopg
from psycopg.pq import ExecStatus

Rows = list[tuple[bytes | None, ...]]

MASTER_POSITION = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"
REPLAYED_POSITION = "SELECT pg_last_wal_replay_lsn() - '0/0'::pg_lsn"


class BesideServers:
    """One connection to each server, which the threads of this process share. `databases` is `DATABASES`."""

    def __init__(self, databases: Mapping[str, Mapping[str, Any]]) -> None:
        self.databases = databases
        self.connections: dict[str, psycopg.Connection[Any]] = {}
        self.replayed: dict[str, int] = {}
        self.lock = Lock()

    def position(self, master: str) -> int:
        """Return where the log of `master` stands."""
        return self._number(master, MASTER_POSITION)

    def has_replayed(self, replica: str, position: int) -> bool:
        """Tell whether `replica` has replayed its master's log up to `position`."""
        if self.replayed.get(replica, -1) < position:
            self.replayed[replica] = self._number(replica, REPLAYED_POSITION)
        return self.replayed[replica] >= position

    def same_rows(self, alias: str, sql: str, params: Any, context: Mapping[str, Any]) -> bool:
        """Tell whether the server of `alias` has the rows, in whatever order, that Django's cursor has just got."""
        wrapper, connection = context["cursor"], context["connection"]
        query = connection.ops.last_executed_query(wrapper.cursor, sql, params)
        found = self._ask(alias, query)
        return found is not None and sorted(found, key=repr) == sorted(_rows(wrapper.cursor.pgresult), key=repr)

    def _number(self, alias: str, question: str) -> int:
        answer = self._ask(alias, question)
        assert answer is not None, f"{alias} does not answer {question!r}"
        return int(answer[0][0] or 0)

    def _ask(self, alias: str, query: str) -> Rows | None:
        """Return the rows; None if the server refuses the query."""
        with self.lock:
            if alias not in self.connections:
                self.connections[alias] = connect(self.databases[alias])
            result = self.connections[alias].pgconn.exec_(query.encode())
        return _rows(result) if result.status == ExecStatus.TUPLES_OK else None


def connect(database: Mapping[str, Any]) -> psycopg.Connection[Any]:
    """Open a connection to an entry of `DATABASES`; it prints times as Django's own connections do."""
    return psycopg.connect(
        host=database["HOST"],
        port=database["PORT"],
        user=database["USER"],
        dbname=database["NAME"],
        autocommit=True,
        options="-c TimeZone=UTC",
    )


def _rows(result: Any) -> Rows:
    """Return the rows of a result as the server sent them. Who has the result can still fetch from it."""
    columns = range(result.nfields)
    return [tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples)]
