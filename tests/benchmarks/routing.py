"""What a routing decision costs: `python -m tests.benchmarks.routing` (or `make bench`).

Nanoseconds of `db_for_read` through Django's own `ConnectionRouter`, for pindb, for django-multidb-router's pinning
router (the cheapest replica router there is) and for a router that returns a constant: what Django itself costs. All in
one process, taking turns, so that a machine whose speed drifts slows all of them alike.

And microseconds of a whole unit of work, with one DB set and with a thousand: both should take the same; and what is
added where somebody observes.

And nanoseconds that a query on a replica costs because it may be repeated on the master, over a compiler that executes
nothing.
"""

from __future__ import annotations

import os
import statistics
import timeit
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.db.utils import ConnectionRouter  # noqa: E402
from django.test import override_settings  # noqa: E402
from multidb.pinning import pin_this_thread, unpin_this_thread  # noqa: E402

import pindb  # noqa: E402
from pindb.routing.orm import repeated_reads  # noqa: E402
from pindb.signals import work_finished  # noqa: E402
from tests.benchmarks.timing import microseconds  # noqa: E402
from tests.shop.models import Order  # noqa: E402

CALLS = 20_000
UNITS = 2_000
SETS = (1, 1_000)
TURNS = 41
STATEMENTS = {"": "route(Order)", ", related object": "route(Order, instance=related)"}
TARGETS = {"pinned": 1.2, "unpinned": 1.6}


class Constant:
    """The least a router can do."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "default"


ROUTERS = {"constant": Constant(), "multidb": "multidb.PinningReplicaRouter", "pindb": "pindb.GreedyPinDbRouter"}


def unpin() -> None:
    pindb.unpin_all()
    unpin_this_thread()


def pin() -> None:
    pindb.pin("default")
    pin_this_thread()


def measure(statement: str, related: Order) -> dict[str, list[float]]:
    """Return each router's nanoseconds a call, one figure a turn."""
    names = {name: {"route": ConnectionRouter([router]).db_for_read, "Order": Order, "related": related}
             for name, router in ROUTERS.items()}  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(TURNS):
        for name, variables in names.items():
            times[name].append(timeit.timeit(statement, number=CALLS, globals=variables) / CALLS * 1e9)
    return times


def unit_of_work(route: Callable[..., str]) -> None:
    """Do what a task does that reads, writes and publishes, without the queries."""
    with pindb.propagation.open_message(pindb.propagation.NOTHING_PINNED):
        route(Order)
        pindb.pin("default")
        route(Order)
        pindb.get_pinned()
        pindb.propagation.outgoing()


def with_sets(count: int) -> override_settings:
    """Return the settings of a project with so many DB sets."""
    names = ["default", *(f"shard{number}" for number in range(1, count))]
    masters = dict.fromkeys(names, settings.MASTER_DATABASES["default"])
    sets = dict.fromkeys(names, settings.DATABASE_SETS["default"])
    databases = pindb.populate_replicas(masters, sets)
    return override_settings(MASTER_DATABASES=masters, DATABASE_SETS=sets, DATABASES=databases)


def measure_units_of_work() -> None:
    print(f"\nThe least of {TURNS} turns of {UNITS:,} units of work that read, pin and publish, in microseconds\n")
    least = dict.fromkeys(SETS, float("inf"))
    changed = {count: with_sets(count) for count in SETS}
    for _ in range(TURNS):
        for count in SETS:
            with warnings.catch_warnings(action="ignore"), changed[count]:  # of DATABASES: no query is made here
                route = ConnectionRouter([pindb.GreedyPinDbRouter()]).db_for_read
                least[count] = min(least[count], microseconds(partial(unit_of_work, route), UNITS))
    for count, value in least.items():
        print(f"{f'DB sets: {count:,}':24}{value:>9.1f}")


def measure_observing() -> None:
    """Print what the signal's receivers cost: the counting of reads, and the summary of each unit of work."""
    print(f"\nWhat pindb.signals.work_finished adds with a receiver that does nothing, the least of {TURNS} turns\n")
    route = ConnectionRouter([pindb.GreedyPinDbRouter()]).db_for_read

    def receiver(**_: Any) -> None:
        pass

    def least(function: Callable[[], object], calls: int) -> float:
        times: dict[bool, float] = {False: float("inf"), True: float("inf")}
        for _ in range(TURNS):
            for observed in (False, True):
                (work_finished.connect if observed else work_finished.disconnect)(receiver)
                times[observed] = min(times[observed], microseconds(function, calls))
        work_finished.disconnect(receiver)
        return times[True] - times[False]

    for state, prepare in {"unpinned": unpin, "pinned": pin}.items():
        prepare()
        print(f"{f'a read, {state}':24}{least(partial(route, Order), CALLS) * 1000:>9.0f} ns{'target':>9} 500 ns")
    print(f"{'a unit of work':24}{least(partial(unit_of_work, route), UNITS):>9.1f} us{'target':>9}  10 us")


class Compiler:
    """Executes nothing."""

    def __init__(self, alias: str) -> None:
        self.using = alias

    def without(self, result_type: str = "multi", chunked_fetch: bool = False, chunk_size: int = 100) -> list[Any]:
        return []

    repeated = repeated_reads._execute_sql(without)


def measure_repeatable_reads() -> None:
    print(f"\n{TURNS} turns of {CALLS:,} queries that do not fail: nanoseconds added to each, median (minimum)\n")
    for what, alias in {"on a replica": Order.objects.all().db, "elsewhere": "default"}.items():
        times: dict[str, list[float]] = {"without": [], "repeated": []}
        for _ in range(TURNS):
            for name, values in times.items():
                variables = {"execute": getattr(Compiler(alias), name)}
                seconds = timeit.timeit("execute(chunked_fetch=False, chunk_size=100)", number=CALLS, globals=variables)
                values.append(seconds / CALLS * 1e9)
        added = [ours - bare for ours, bare in zip(times["repeated"], times["without"], strict=True)]
        least = min(times["repeated"]) - min(times["without"])
        print(f"{what:24}{statistics.median(added):>9.0f} ({least:>4.0f})")


def main() -> None:
    print(f"{TURNS} turns of {CALLS:,} calls of db_for_read each, median (minimum) in nanoseconds\n")
    print(f"{'':24}" + "".join(f"{name:>16}" for name in ROUTERS) + f"{'pindb/multidb':>16}{'target':>9}")
    related = Order()
    related._state.db = "default-1"
    states: dict[str, Callable[[], None]] = {"unpinned": unpin, "pinned": pin}
    # No delegates, as the other two have none.
    with (
        override_settings(PINDB_DELEGATE_ROUTERS=[], REPLICA_DATABASES=["default-1", "default-2"]),
        pindb.pinning_context(),
    ):
        for state, prepare in states.items():
            for what, statement in STATEMENTS.items():
                prepare()
                times = measure(statement, related)
                medians = {name: statistics.median(values) for name, values in times.items()}
                # Turn by turn: what slows one turn slows both.
                ratios = [ours / theirs for ours, theirs in zip(times["pindb"], times["multidb"], strict=True)]
                cells = "".join(f"{medians[name]:>9.0f} ({min(times[name]):>4.0f})" for name in ROUTERS)
                target = f"{TARGETS[state]:>8.1f}x" if not what else ""
                print(f"{state + what:24}{cells}{statistics.median(ratios):>15.2f}x{target}")
        measure_units_of_work()
        measure_observing()
        pindb.unpin_all()
        measure_repeatable_reads()


if __name__ == "__main__":
    main()
