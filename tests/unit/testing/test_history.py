"""The checker on histories made by hand: it finds each anomaly, names both ends and the way, and nothing else."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pindb import PinDbConfigError
from pindb.testing.history import Guarantee, Operation, Recorder, check_history, load_history


def read(unit: str, version: int, *parents: str, key: str = "row", at: float = 0.0) -> Operation:
    return Operation(unit, "read", key, version, at, parents)


def write(unit: str, version: int, *parents: str, key: str = "row", at: float = 0.0) -> Operation:
    return Operation(unit, "write", key, version, at, parents)


def broken(*operations: Operation) -> list[Guarantee]:
    return [violation.guarantee for violation in check_history(operations)]


@pytest.mark.parametrize(
    ("first", "second", "guarantee"),
    [
        (write("a", 2), read("b", 1, "a"), Guarantee.READ_YOUR_WRITES),
        (read("a", 2), read("b", 1, "a"), Guarantee.MONOTONIC_READS),
        (write("a", 2), write("b", 1, "a"), Guarantee.MONOTONIC_WRITES),
        (write("a", 2), write("b", 2, "a"), Guarantee.MONOTONIC_WRITES),
        (read("a", 2), write("b", 2, "a"), Guarantee.WRITES_FOLLOW_READS),
    ],
)
def test_each_anomaly_is_found(first: Operation, second: Operation, guarantee: Guarantee) -> None:
    assert broken(first, second) == [guarantee]
    assert broken(second, first) == [guarantee], "in whichever order they were recorded"


@pytest.mark.parametrize(
    "history",
    [
        [write("a", 2), read("b", 2, "a")],
        [write("a", 2), read("b", 3, "a")],
        [write("a", 2), read("b", 1)],
        [write("a", 2), read("b", 1, "a", key="another row")],
        [read("a", 1), write("a", 2, at=1), read("a", 2, at=2)],
        [],
    ],
    ids=["the same", "newer", "no cause", "another row", "one unit of work", "nothing"],
)
def test_what_is_allowed_is_not_told(history: list[Operation]) -> None:
    assert broken(*history) == []


def test_inside_a_unit_of_work_the_time_orders_operations() -> None:
    assert broken(write("a", 2, at=1), read("a", 1, at=2)) == [Guarantee.READ_YOUR_WRITES]
    assert broken(read("a", 1, at=1), write("a", 2, at=2)) == []


def test_causes_reach_over_units_of_work_that_touch_nothing() -> None:
    history = [write("request", 2), read("task", 0, "request", key="other"), read("body", 1, "task")]
    (violation,) = check_history(history)
    assert violation.path == ("request", "task", "body")
    assert str(violation) == (
        "read your writes: request wrote version 2 of row, then body read version 1 of row. "
        "The way from one to the other: request -> task -> body."
    )


def test_a_fan_in_reads_the_writes_of_every_member() -> None:
    members = [write(f"member {number}", 1, "request", key=f"row {number}") for number in range(3)]
    names = [member.unit for member in members]
    assert broken(*members, *[read("body", 1, *names, key=f"row {number}") for number in range(3)]) == []
    assert broken(*members, *[read("body", number % 2, *names, key=f"row {number}") for number in range(3)]) == [
        Guarantee.READ_YOUR_WRITES,
        Guarantee.READ_YOUR_WRITES,
    ]


def test_a_parent_without_operations_is_a_parent_all_the_same() -> None:
    assert broken(read("b", 1, "unknown")) == []


def test_parents_in_a_circle_are_refused() -> None:
    with pytest.raises(PinDbConfigError, match="parents of each other"):
        check_history([read("a", 1, "b"), read("b", 1, "a")])


@given(st.integers(0, 10**6), st.integers(2, 30))
def test_a_history_on_one_server_has_no_violation_and_one_old_read_is_found(seed: int, length: int) -> None:
    chance = random.Random(seed)
    version, history = 0, []
    for number in range(length):
        parents = (f"unit {number - 1}",) if number else ()
        if chance.random() < 0.5:
            version += 1
            history.append(write(f"unit {number}", version, *parents))
        else:
            history.append(read(f"unit {number}", version, *parents))
    assert broken(*history) == []
    if version:
        late = read("late", version - 1, f"unit {length - 1}")
        assert Guarantee.READ_YOUR_WRITES in broken(*history, late)


def test_threads_record_into_one_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "history.jsonl")

    def record(number: int) -> None:
        for version in range(50):
            recorder.note(write(f"unit {number}", version, "before"))

    threads = [threading.Thread(target=record, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    operations = load_history(tmp_path / "history.jsonl")
    assert len(operations) == 200
    assert set(operations) == {
        write(f"unit {number}", version, "before") for number in range(4) for version in range(50)
    }


@pytest.mark.parametrize("line", ["garbage", "{}", '{"unit": "a", "kind": "read", "colour": 1}', "[]"])
def test_a_line_that_is_no_operation_is_told_with_its_number(line: str, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    Recorder(path).note(read("a", 1))
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(PinDbConfigError, match="Line 2 of"):
        load_history(path)
