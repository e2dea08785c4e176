"""What a routing decision costs: `python -m tests.benchmarks.routing` (or `make bench`).

Nanoseconds of `db_for_read` through Django's own `ConnectionRouter`, for pindb, for django-multidb-router's pinning
router (the cheapest replica router there is) and for a router that returns a constant: what Django itself costs. All in
one process, taking turns, so that a machine whose speed drifts slows all of them alike.
"""

from __future__ import annotations

import os
import statistics
import timeit
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
django.setup()

from django.db.utils import ConnectionRouter  # noqa: E402
from django.test import override_settings  # noqa: E402
from multidb.pinning import pin_this_thread, unpin_this_thread  # noqa: E402

import pindb  # noqa: E402
from tests.shop.models import Order  # noqa: E402

CALLS = 20_000
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


if __name__ == "__main__":
    main()
