"""`manage.py pindb_report`: what it shows of the counts, and what it says where there are none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from pindb.monitoring.sinks import DirectorySink, Sink, Tally


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with override_settings(PINDB_REPORT=str(tmp_path), PINDB_MODE="shadow"):
        yield DirectorySink(str(tmp_path))


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("pindb_report", *arguments, stdout=out)
    return out.getvalue()


COUNTS = {
    ("unit", "request", "shop.show"): 10,
    ("read", "request", "shop.show", "replica", "replica"): 30,
    ("read", "request", "shop.show", "master", "pinned by the caller"): 6,
    ("read", "request", "shop.show", "master", "open transaction"): 4,
    ("unit", "task", "shop.charge"): 2,
    ("read", "task", "shop.charge", "master", "pinned by a write here"): 4,
    ("unit", "task", "shop.nothing"): 1,
    ("shadow",): 44,
    ("unit by line", "shop/tasks.py:7"): 2,
    ("read by line", "shop/tasks.py:7"): 4,
    ("handed on", "shop/tasks.py:7"): 1,
    ("age", "0"): 4,
    ("age", "0.3"): 5,
    ("age", "10"): 1,
}


def tally(**counts: int) -> Tally:
    return Tally(1e9, 1e9 + 60, Counter({**COUNTS, **{(name,): count for name, count in counts.items()}}))


def test_the_tables_tell_what_gains_what_pins_and_what_would_have_been_stale(sink: Sink) -> None:
    sink.add(tally())
    lines = run().splitlines()
    assert lines[0].endswith(": 13 units of work (request 10, task 3). Mode now: shadow.")
    assert lines[1] == "30 of 44 reads (68.2 %) would have gone to replicas."
    rows = [" ".join(line.split()) for line in lines]
    assert "request shop.show 10 40 30 75.0 % pinned by the caller 6, open transaction 4" in rows
    assert "task shop.charge 2 4 0 0.0 % pinned by a write here 4" in rows
    assert "task shop.nothing 1 0 0 -" in rows
    assert "shop/tasks.py:7 2 1 4" in rows
    assert "Pins would have kept 10 reads on masters. Without pins these would have been stale:" in rows
    assert "0.1 s 4 9.1 %" in rows
    assert "1 s 9 20.5 %" in rows


@pytest.mark.parametrize(("lag", "stale"), [("0.001", 4), ("0.3", 4), ("0.31", 9), ("10", 9), ("11", 10)])
def test_lag_tells_how_many_reads_would_have_been_stale_at_most(lag: str, stale: int, sink: Sink) -> None:
    """A read of which it is only known that its pin was 0.3 to 1 s old counts from a lag over 0.3 s."""
    sink.add(tally())
    assert json.loads(run("--json", "--lag", lag))["stale_at_most"] == {lag: stale}
    assert f"{lag} s" in run("--lag", lag)


@pytest.mark.parametrize("lag", ["0", "-1", "31", "nan"])
def test_a_lag_that_the_counts_do_not_reach_is_refused(lag: str, sink: Sink) -> None:
    with pytest.raises(CommandError, match=r"--lag 0\.5"):
        run(f"--lag={lag}")


def test_json_has_all_of_it(sink: Sink) -> None:
    sink.add(tally())
    document = json.loads(run("--json"))
    assert (document["since"], document["until"], document["mode"]) == (1e9, 1e9 + 60, "shadow")
    assert (document["reads"], document["to_replicas"], document["in_shadow_mode"]) == (44, 30, 44)
    assert [(work["name"], work["share"]) for work in document["work"]] == [
        ("shop.show", 0.75),
        ("shop.charge", 0.0),
        ("shop.nothing", None),
    ]
    assert document["work"][1]["to_masters"] == {"pinned by a write here": 4}
    assert document["lines"] == [{"line": "shop/tasks.py:7", "units": 2, "handed_on": 1, "reads": 4}]
    assert document["reads_kept_by_pins"] == 10


@pytest.mark.parametrize(("shadow", "verb"), [(0, " went to"), (44, " would have gone to"), (7, "(7 in shadow mode)")])
def test_it_says_whether_reads_went_there_or_would_have(shadow: int, verb: str, sink: Sink) -> None:
    sink.add(tally(shadow=shadow))
    assert verb in run().splitlines()[1]


def test_the_first_ten_of_many_are_shown_and_all_on_demand(sink: Sink) -> None:
    many: Any = {("unit", "request", f"view {number}"): 1 for number in range(12)}
    many |= {("read", "request", f"view {number}", "replica", "replica"): number for number in range(12)}
    many |= {("unit by line", f"line {number}"): number + 1 for number in range(12)}
    sink.add(Tally(1.0, 2.0, Counter(many)))
    text = run()
    assert "What gains most (the first 10 of 12; --all shows the others):" in text
    assert text.index("view 11") < text.index("view 10") < text.index("view 2")
    assert "view 1 " not in text
    assert text.index("line 11") < text.index("line 2")
    assert "line 1 " not in text
    assert "view 1 " in run("--all")
    assert "line 1 " in run("--all")


def test_reset_forgets_the_counts(sink: Sink) -> None:
    sink.add(tally())
    assert run("--reset") == "The counts begin anew.\n"
    assert sink.read() is None


def test_without_counts_it_says_why(sink: Sink) -> None:
    with pytest.raises(CommandError, match="Nothing was counted yet. A process reads PINDB_REPORT when it starts"):
        run()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"PINDB_REPORT": None}, "PINDB_REPORT is not set, so nothing is counted. Write the path of a directory"),
        ({"PINDB_REPORT": "/no/such/directory"}, "which is no directory. Write"),
        ({"PINDB_REPORT": "cache:default"}, "LocMemCache"),
        ({"PINDB_REPORT": "cache:dfault"}, "CACHES has no 'dfault'"),
        ({"PINDB_ENABLED": False}, "PINDB_ENABLED is False"),
    ],
)
def test_without_a_sink_it_says_what_to_write(settings: dict[str, Any], problem: str, sink: Sink) -> None:
    with override_settings(**settings), pytest.raises(CommandError, match=problem):
        run()


def test_what_are_no_counts_is_told_and_a_reset_cures_it(sink: Sink, tmp_path: Path) -> None:
    (tmp_path / "pindb-report.json").write_text("{")
    with pytest.raises(CommandError, match="cannot be used .*pindb_report --reset"):
        run()
    run("--reset")
    sink.add(tally())
    run()
