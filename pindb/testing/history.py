"""Checks recorded histories for reads that missed a write, and for readers that went back in time.

An application (a staging site, a load test) records its reads and writes of versioned rows with a `Recorder`.
`check_history()` finds what the causal order forbids, with pindb or without.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

from pindb.exceptions import PinDbConfigError


class Guarantee(Enum):
    """What a causal session may rely on."""

    READ_YOUR_WRITES = "read your writes"
    """A read has every write that came before it."""
    MONOTONIC_READS = "monotonic reads"
    """A read is no older than the reads that came before it."""
    MONOTONIC_WRITES = "monotonic writes"
    """A write makes a newer version than the writes that came before it."""
    WRITES_FOLLOW_READS = "writes follow reads"
    """A write makes a newer version than the reads that came before it have seen."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One read or write of a row."""

    unit: str
    """The unit of work: a request, a task."""
    kind: str
    """"read" or "write"."""
    key: str
    """The row."""
    version: int
    """The version that was read or written; the master counts it up. 0: the row was not there."""
    at: float
    """When it had happened, on the clock of its unit of work. It orders the operations of one unit of work only."""
    parents: tuple[str, ...] = ()
    """The units of work that came before this one: its caller, the members of its group, those whose results it has
    taken, the requests of the same client that were answered before this one was sent."""
    alias: str = ""
    """Where it went, for the report."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Two operations that contradict each other: `later` knows less than `earlier`, which came before it."""

    guarantee: Guarantee
    """The guarantee that does not hold."""
    earlier: Operation
    """What came first."""
    later: Operation
    """What should have known it."""
    path: tuple[str, ...]
    """The units of work from the earlier to the later one."""

    def __str__(self) -> str:
        return (
            f"{self.guarantee.value}: {_told(self.earlier)}, then {_told(self.later)}. "
            f"The way from one to the other: {' -> '.join(self.path)}."
        )


def _told(operation: Operation) -> str:
    where = f" at {operation.alias}" if operation.alias else ""
    done = "wrote" if operation.kind == "write" else "read"
    return f"{operation.unit} {done} version {operation.version} of {operation.key}{where}"


def check_history(operations: Iterable[Operation]) -> list[Violation]:
    """Return the violations in a history, the operations in any order. An empty list: there are none.

        for violation in check_history(load_history("staging.jsonl")):
            print(violation)

    For each operation the newest one before it counts, of each kind: so a violation is told once, not for each older
    operation. Raises `PinDbConfigError` if the parents of a unit of work lead back to itself.
    """
    units: dict[str, list[Operation]] = defaultdict(list)
    parents: dict[str, set[str]] = defaultdict(set)
    for operation in operations:
        units[operation.unit].append(operation)
        parents[operation.unit].update(operation.parents)
    known: dict[str, _Known] = {}
    violations: list[Violation] = []
    for unit in _in_causal_order(parents):
        newest = known[unit] = _Known.of(unit, [known[parent] for parent in sorted(parents[unit])])
        for operation in sorted(units.get(unit, ()), key=lambda each: each.at):
            violations += newest.contradictions(operation)
            newest.add(operation)
    return violations


Past = tuple[Operation, tuple[str, ...]]
"""An operation, and the units of work from it to the one that looks at it."""


class _Known:
    """What a unit of work may rely on: the newest operation before it, by kind and key."""

    def __init__(self, unit: str, newest: dict[tuple[str, str], Past]) -> None:
        self._unit: Final = unit
        self._newest: Final = newest

    @classmethod
    def of(cls, unit: str, parents: Sequence[_Known]) -> _Known:
        newest: dict[tuple[str, str], Past] = {}
        for parent in parents:
            for what, (operation, path) in parent._newest.items():
                if what not in newest or newest[what][0].version < operation.version:
                    newest[what] = (operation, (*path, unit))
        return cls(unit, newest)

    def contradictions(self, operation: Operation) -> Iterator[Violation]:
        for kind, guarantee in PROMISED[operation.kind].items():
            past = self._newest.get((kind, operation.key))
            # A write makes a version of its own; a read may see the same one again.
            needed = 0 if past is None else past[0].version + (operation.kind == "write")
            if past is not None and operation.version < needed:
                yield Violation(guarantee, past[0], operation, past[1])

    def add(self, operation: Operation) -> None:
        what = (operation.kind, operation.key)
        past = self._newest.get(what)
        if past is None or past[0].version < operation.version:
            self._newest[what] = (operation, (self._unit,))


PROMISED: Final[Mapping[str, Mapping[str, Guarantee]]] = {
    "read": {"write": Guarantee.READ_YOUR_WRITES, "read": Guarantee.MONOTONIC_READS},
    "write": {"write": Guarantee.MONOTONIC_WRITES, "read": Guarantee.WRITES_FOLLOW_READS},
}
"""What an operation of one kind owes to one of another kind before it."""


def _in_causal_order(parents: Mapping[str, set[str]]) -> Iterator[str]:
    """Produce each unit of work after its parents."""
    try:
        yield from TopologicalSorter(parents).static_order()
    except CycleError as error:
        raise PinDbConfigError(
            f"The units of work {', '.join(error.args[1])} are parents of each other.",
            "Give each one an id of its own.",
        ) from None


class Recorder:
    """Appends operations to a file.

        recorder = Recorder("staging.jsonl")
        recorder.note(Operation(request_id, "read", f"order {pk}", order.version, at=now(), parents=(cause,)))

    The file has a line of JSON for each operation. Threads and processes may share it.
    """

    def __init__(self, path: str | Path) -> None:
        self._path: Final = Path(path)
        self._lock: Final = threading.Lock()

    def note(self, operation: Operation) -> None:
        """Append `operation`. Raises `OSError` if the file cannot be written."""
        line = json.dumps(asdict(operation)) + "\n"
        with self._lock, self._path.open("a", encoding="ascii") as file:
            file.write(line)  # one write of a short line: processes do not mix


def load_history(path: str | Path) -> list[Operation]:
    """Return the operations in a file of a `Recorder`. Raises `PinDbConfigError` for a line that is none."""
    operations = []
    for number, line in enumerate(Path(path).read_text(encoding="ascii").splitlines(), 1):
        try:
            fields = json.loads(line)
            operations.append(Operation(**{**fields, "parents": tuple(fields.get("parents", ()))}))
        except (ValueError, TypeError) as error:
            raise PinDbConfigError(f"Line {number} of {path} is no operation ({error}).") from error
    return operations


def now() -> float:
    """Return the time for `Operation.at`: seconds on this machine's clock that never goes back."""
    return time.monotonic()
