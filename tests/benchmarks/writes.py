"""What noting the statements on a master costs: `python -m tests.benchmarks.writes` (or `make bench`).

Nanoseconds that pindb adds to one `cursor.execute()` of Django, over a driver that does nothing. With and without
pindb's execute wrapper, taking turns, so that a machine whose speed drifts slows both alike. Each statement is a text
of its own, as Django makes one for each query. A connection to a replica has no wrapper.
"""

from __future__ import annotations

import os
import statistics
import timeit
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
django.setup()

from django.db import connections, transaction  # noqa: E402
from django.db.backends.utils import CursorWrapper  # noqa: E402
from django.test import override_settings  # noqa: E402

import pindb  # noqa: E402
from pindb.routing.writes.hooks import observe  # noqa: E402
from tests.shop.models import Order  # noqa: E402

connection = connections["default"]  # no proxy, as in a cursor
CALLS = 500
TURNS = 301
TARGET = 1000
"""Nanoseconds, for Django's own statements."""

SELECT = str(Order.objects.filter(customer__name="Ada").select_related("customer").query)
STATEMENTS = {
    "SELECT": SELECT,
    "INSERT": 'INSERT INTO "shop_order" ("customer_id", "status", "total") VALUES (%s, %s, %s) '
    'RETURNING "shop_order"."id"',
    "UPDATE": 'UPDATE "shop_order" SET "customer_id" = %s, "status" = %s, "total" = %s WHERE "shop_order"."id" = %s',
    "raw select": "select * from shop_order where id = %s",
    "raw WITH": "WITH x AS (SELECT * FROM shop_order) SELECT * FROM x",
}
bare: list[float] = []
BY_DJANGO = ("SELECT", "INSERT", "UPDATE")


class Driver:
    """A cursor that executes nothing."""

    rowcount = 1

    def execute(self, sql: str, params: Any = None) -> None:
        pass


def measure(text: str) -> tuple[float, float]:
    """Return the median and the least of the nanoseconds that the wrapper adds to a call."""
    cursor = CursorWrapper(Driver(), connection)
    # A text that nobody has hashed yet, as the compiler makes one for each query.
    variables = {"execute": cursor.execute, "parts": [text[:-1], text[-1]], "join": "".join}
    wrappers = {"with": [observe], "without": []}
    times: dict[str, list[float]] = {name: [] for name in wrappers}
    for _ in range(TURNS):
        for name, wrapper in wrappers.items():
            connection.execute_wrappers = wrapper  # type: ignore[assignment]
            seconds = timeit.timeit("execute(join(parts), ())", number=CALLS, globals=variables)
            times[name].append(seconds / CALLS * 1e9)
    connection.execute_wrappers = []
    bare.append(min(times["without"]))
    added = [ours - bare for ours, bare in zip(times["with"], times["without"], strict=True)]
    return statistics.median(added), min(times["with"]) - min(times["without"])


def first_write() -> float:
    """Return the least nanoseconds of the first write of a unit of work, besides what the unit of work costs."""
    connection.execute_wrappers = [observe]
    cursor = CursorWrapper(Driver(), connection)
    variables = {"context": pindb.pinning_context, "execute": cursor.execute, "text": STATEMENTS["UPDATE"]}
    spent = []
    for writes in (2, 1):
        body = "    execute(text, ())\n" * writes
        times = timeit.repeat(f"with context():\n{body}", repeat=TURNS, number=50, globals=variables)
        spent.append(min(times) / 50 * 1e9)
    two, one = spent
    empty = min(timeit.repeat("with context():\n    pass", repeat=TURNS, number=50, globals=variables)) / 50 * 1e9
    return (one - empty) - (two - one)


def main() -> None:
    print(f"{TURNS} turns of {CALLS} calls of cursor.execute each: nanoseconds added, median (least)\n")
    connection.ensure_connection()
    print(f"{'':14}{'unpinned':>14}{'pinned':>14}{'transaction':>14}{'position mode':>16}{'target':>9}")
    for name, text in STATEMENTS.items():
        cells = []
        with pindb.pinning_context():
            if name not in ("INSERT", "UPDATE"):
                cells.append(measure(text))
            pindb.pin("default")
            cells.append(measure(text))
            with transaction.atomic():
                cells.append(measure(text))
            with override_settings(PINDB_CONSISTENCY="position"):
                pindb.pin("default")
                cells.append(measure(text))
        figures = "".join(f"{median:>8.0f} ({least:>3.0f})" for median, least in cells)
        missing = " " * 14 * (4 - len(cells))
        print(f"{name:14}{missing}{figures}{f'{TARGET:>8}' if name in BY_DJANGO else ''}")
    print(f"\nwithout pindb a call takes {min(bare):.0f} to {max(bare):.0f}")
    print(f"the first write of a unit of work: {first_write():.0f} more than the second")


if __name__ == "__main__":
    main()
