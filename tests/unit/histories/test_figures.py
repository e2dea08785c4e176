"""The figures of a history: what is promised counts, in the mode of the run, and so does a reader that moves."""

from __future__ import annotations

import pytest

from pindb.testing import Operation
from tests.histories.figures import figures


def read(unit: str, version: int, *parents: str, alias: str = "default-1", at: float = 0.0) -> Operation:
    return Operation(unit, "read", "account 1", version, at, parents, alias)


def write(unit: str, version: int, *parents: str, at: float = 0.0) -> Operation:
    return Operation(unit, "write", "account 1", version, at, parents, "default")


def test_read_your_writes_is_promised_across_units_of_work() -> None:
    found = figures([write("a#1", 2), read("b#1", 1, "a#1")], monotonic_reads=False)
    assert found.by_guarantee == {"read your writes, across units of work": 1}
    assert found.wrong == 1


def test_monotonic_reads_across_units_of_work_are_promised_only_where_they_are_on() -> None:
    history = [read("a#1", 2), read("b#1", 1, "a#1")]
    assert figures(history, monotonic_reads=True).wrong == 1
    off = figures(history, monotonic_reads=False)
    assert off.wrong == 0
    assert off.unpromised == {"monotonic reads, across units of work": 1}


def test_monotonic_reads_inside_a_unit_of_work_are_always_promised() -> None:
    history = [read("a#1", 2), read("a#2", 1, "a#1", at=1)]
    assert figures(history, monotonic_reads=False).by_guarantee == {"monotonic reads, inside a unit of work": 1}


@pytest.mark.parametrize(
    ("aliases", "moves"),
    [
        (["default-1", "default-1"], False),
        (["default-1", "default", "default"], False),
        (["default-1", "default-2"], True),
        (["default", "default-1"], True),
        (["default-1", "default", "default-1"], True),
        (["default-1", "audit-2"], False),
    ],
)
def test_a_unit_of_work_may_move_once_from_a_replica_to_the_master(aliases: list[str], moves: bool) -> None:
    history = [read(f"a#{number}", 1, alias=alias, at=number) for number, alias in enumerate(aliases)]
    assert bool(figures(history).moved) == moves


def test_failures_are_told_by_whose_fault_they_are() -> None:
    failures = [
        {"error": "OperationalError: gone", "alias": "default-1", "by_pindb": True},
        {"error": "OperationalError: gone", "alias": "default", "by_pindb": False},
    ]
    found = figures([], failures)
    assert found.by_pindb == failures[:1]
    assert found.others == {"OperationalError: gone (default)": 1}
    assert found.wrong == 1


def test_reads_are_counted_by_where_they_went_and_segments_by_their_unit_of_work() -> None:
    found = figures([read("a#1", 1), read("a#2", 1, "a#1", alias="default", at=1), write("b#1", 2)])
    assert (found.operations, found.units, found.reads, found.on_replicas) == (3, 2, 2, 1)
