"""What a recorded history proves: its violations of what pindb promises, and how much it has done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pindb.testing import Guarantee, Operation, Violation, check_history
from tests.histories.names import name_of

MASTERS = ("default", "audit")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run."""

    operations: int
    units: int
    reads: int
    on_replicas: int
    violations: list[Violation]
    """Of what is promised."""
    unpromised: Counter[str]
    """The others, by guarantee."""
    moved: list[str]
    """Units of work that read one DB set from two replicas, or went back from the master to a replica."""
    by_pindb: list[Mapping[str, Any]] = field(default_factory=list)
    """Failures that are pindb's fault."""
    others: Counter[str] = field(default_factory=Counter)
    """The other failures, by what the error said."""

    @property
    def by_guarantee(self) -> Counter[str]:
        """How many violations there are of each guarantee."""
        return Counter(told(violation) for violation in self.violations)

    @property
    def wrong(self) -> int:
        """How much is wrong: 0 where pindb has kept its promises."""
        return len(self.violations) + len(self.moved) + len(self.by_pindb)


def figures(
    history: Sequence[Operation], failures: Iterable[Mapping[str, Any]] = (), *, monotonic_reads: bool = True
) -> Figures:
    """Return what the history proves; without `monotonic_reads` these are promised inside a unit of work only."""
    violations, unpromised = [], Counter[str]()
    for violation in check_history(history):
        if monotonic_reads or violation.guarantee is not Guarantee.MONOTONIC_READS or is_inside(violation):
            violations.append(violation)
        else:
            unpromised[told(violation)] += 1
    by_pindb = [failure for failure in failures if failure["by_pindb"]]
    others = Counter(f"{failure['error'][:70]} ({failure['alias']})" for failure in failures if not failure["by_pindb"])
    reads = [operation for operation in history if operation.kind == "read"]
    return Figures(
        operations=len(history),
        units=len({name_of(operation.unit) for operation in history}),
        reads=len(reads),
        on_replicas=sum(operation.alias not in MASTERS for operation in reads),
        violations=violations,
        unpromised=unpromised,
        moved=moved(reads),
        by_pindb=by_pindb,
        others=others,
    )


def is_inside(violation: Violation) -> bool:
    """Tell whether both ends belong to one unit of work."""
    return len({name_of(segment) for segment in violation.path}) == 1


def told(violation: Violation) -> str:
    """Return the guarantee in words, and where."""
    return f"{violation.guarantee.value}, {'inside a unit of work' if is_inside(violation) else 'across units of work'}"


def moved(reads: Iterable[Operation]) -> list[str]:
    """Return the units of work whose reads of a DB set moved otherwise than once, from a replica to the master."""
    places: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for read in reads:
        db_set = read.alias.partition("-")[0]
        places[name_of(read.unit), db_set].append((read.at, read.alias))
    found = []
    for (unit, db_set), visited in places.items():
        aliases = [alias for _, alias in sorted(visited)]
        ways = [alias for number, alias in enumerate(aliases) if number == 0 or aliases[number - 1] != alias]
        if len(ways) > 2 or (len(ways) == 2 and ways[1] != db_set):
            found.append(f"{unit} read {db_set} at {', then '.join(ways)}")
    return found
