"""`manage.py pindb_report`: how views and tasks read, or would read, what pins, and what would have been stale."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pindb.api.explain import as_table
from pindb.config.database_sets import current_config
from pindb.exceptions import PinDbConfigError, first_line
from pindb.monitoring.report import AGES, SECONDS
from pindb.monitoring.sinks import REMEDY, Sink, Tally, sink_from
from pindb.routing.decision import Reason

LAGS: Final = (0.01, 0.1, 1.0, 10.0)
MOST: Final = 10


@dataclass
class Work:
    """How the units of work of one view or task have read."""

    units: int = 0
    replica: int = 0
    master: Counter[str] = field(default_factory=Counter)
    """Reads of masters, by reason."""

    @property
    def reads(self) -> int:
        return self.replica + self.master.total()

    @property
    def share(self) -> float | None:
        """The share of its reads that went to replicas, or would have; None without reads."""
        return self.replica / self.reads if self.reads else None


class Command(BaseCommand):
    """Prints tables or JSON."""

    help = (
        "Shows what the processes have counted since PINDB_REPORT is set: how the reads of each view and task went, or "
        "would have gone in shadow mode; which lines of code pin most; how many reads would have been stale without "
        "pins. No server is asked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lag", type=float, metavar="SECONDS", help="how far replicas are behind: what is stale")
        parser.add_argument("--all", action="store_true", help=f"all views, tasks and lines, not the first {MOST} only")
        parser.add_argument("--json", action="store_true", help="print JSON: everything")
        parser.add_argument(
            "--reset", action="store_true", help=f"forget the counts; processes add theirs of the last {SECONDS:g} s"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        sink, lag = _sink(), options["lag"]
        if lag is not None and not 0 < lag <= AGES[-1]:
            raise CommandError(f"--lag wants a number of seconds over 0 and at most {AGES[-1]:g}, e.g. --lag 0.5.")
        try:
            if options["reset"]:
                sink.reset()
                self.stdout.write("The counts begin anew.")
                return
            tally = sink.read()
        except Exception as error:
            raise CommandError(f"PINDB_REPORT cannot be used ({first_line(error)}).") from error
        if tally is None:
            raise CommandError(
                f"Nothing was counted yet. A process reads PINDB_REPORT when it starts: start it anew. It adds what it "
                f"has counted within {SECONDS:g} s after a request or a task."
            )
        report = Figures(tally)
        lags = LAGS if lag is None else (lag,)
        if options["json"]:
            self.stdout.write(json.dumps(report.as_dict(lags), indent=1))
        else:
            self.stdout.write("\n\n".join(report.texts(lags, None if options["all"] else MOST)))


def _sink() -> Sink:
    settings = current_config().settings
    if settings.report is None:
        raise CommandError(f"PINDB_REPORT is not set, so nothing is counted. {REMEDY}")
    if not settings.enabled:
        raise CommandError("PINDB_ENABLED is False, so nothing is counted.")
    try:
        sink = sink_from(settings.report)
    except PinDbConfigError as error:
        raise CommandError(f"{error} {REMEDY}") from error
    if problem := sink.problem():
        raise CommandError(f"PINDB_REPORT is {settings.report!r}, which {problem}. {REMEDY}")
    return sink


class Figures:
    """What the command shows, made of the counts."""

    def __init__(self, tally: Tally) -> None:
        self.tally: Final = tally
        self.mode: Final = str(current_config().rollout)
        self.works: Final[defaultdict[tuple[str, str], Work]] = defaultdict(Work)
        self.lines: Final[defaultdict[str, Counter[str]]] = defaultdict(Counter)
        self.ages: Final[dict[float, int]] = {}
        self.shadow = 0
        for (what, *key), count in tally.counts.items():
            match what, key:
                case "unit", [kind, name]:
                    self.works[kind, name].units += count
                case "read", [kind, name, "replica", _]:
                    self.works[kind, name].replica += count
                case "read", [kind, name, _, reason]:
                    self.works[kind, name].master[reason] += count
                case "unit by line" | "read by line" | "handed on", [line]:
                    self.lines[line][what] += count
                case "age", [age]:
                    self.ages[float(age)] = count
                case "shadow", []:
                    self.shadow = count

    @property
    def reads(self) -> int:
        return sum(work.reads for work in self.works.values())

    @property
    def replica(self) -> int:
        return sum(work.replica for work in self.works.values())

    def stale(self, lag: float) -> int:
        """Return how many reads that pins sent to masters could have been stale on replicas that are `lag` behind."""
        return sum(count for age, count in self.ages.items() if age < lag)

    def by_gain(self) -> list[tuple[tuple[str, str], Work]]:
        return sorted(self.works.items(), key=lambda item: (-item[1].replica, -item[1].reads, item[0]))

    def by_pins(self) -> list[tuple[str, Counter[str]]]:
        return sorted(self.lines.items(), key=lambda item: (-item[1]["unit by line"], item[0]))

    def as_dict(self, lags: tuple[float, ...]) -> Mapping[str, Any]:
        """Return all of it, for JSON."""
        return {
            "since": self.tally.since,
            "until": self.tally.until,
            "mode": self.mode,
            "reads": self.reads,
            "to_replicas": self.replica,
            "in_shadow_mode": self.shadow,
            "work": [
                {
                    "kind": kind,
                    "name": name,
                    "units": work.units,
                    "reads": work.reads,
                    "to_replicas": work.replica,
                    "share": work.share,
                    "to_masters": dict(work.master),
                }
                for (kind, name), work in self.by_gain()
            ],
            "lines": [
                {
                    "line": line,
                    "units": counts["unit by line"],
                    "handed_on": counts["handed on"],
                    "reads": counts["read by line"],
                }
                for line, counts in self.by_pins()
            ],
            "reads_kept_by_pins": sum(self.ages.values()),
            "stale_at_most": {f"{lag:g}": self.stale(lag) for lag in lags},
        }

    def texts(self, lags: tuple[float, ...], most: int | None) -> Iterator[str]:
        """Produce the paragraphs and tables."""
        units = Counter[str]()
        for (kind, _), work in self.works.items():
            units[kind] += work.units
        of_kinds = ", ".join(f"{kind} {units[kind]}" for kind in ("request", "task", "other") if units[kind])
        since, until = (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) for at in (self.tally.since, self.tally.until)
        )
        yield (
            f"{since} to {until}: {units.total()} units of work ({of_kinds}). Mode now: {self.mode}.\n"
            f"{self.replica} of {self.reads} reads ({_percent(self.replica, self.reads)}) {self._went} to replicas."
        )
        yield self._works(most)
        if self.lines:
            yield self._lines(most)
        if pinned := sum(self.ages.values()):
            at_most = as_table([
                ("replicas behind by", "stale, at most", "of all reads"),
                *((f"{lag:g} s", str(self.stale(lag)), _percent(self.stale(lag), self.reads)) for lag in lags),
            ])  # fmt: skip
            yield f"Pins {self._kept} {pinned} reads on masters. Without pins these would have been stale:\n\n{at_most}"

    @property
    def _went(self) -> str:
        if not self.shadow:
            return "went"
        return (
            "would have gone"
            if self.shadow == self.reads
            else f"went, or ({self.shadow} in shadow mode) would have gone,"
        )

    @property
    def _kept(self) -> str:
        return "would have kept" if self.shadow and self.shadow == self.reads else "kept"

    def _works(self, most: int | None) -> str:
        rows = [
            (
                kind,
                name or "-",
                str(work.units),
                str(work.reads),
                str(work.replica),
                _percent(work.replica, work.reads),
                ", ".join(f"{Reason(reason).value} {count}" for reason, count in work.master.most_common(2)),
            )
            for (kind, name), work in self.by_gain()
        ]
        headings = ("kind", "view or task", "units", "reads", "to replicas", "share", "to masters, most of all")
        return f"What gains most{_more(rows, most)}:\n\n{as_table([headings, *rows[:most]])}"

    def _lines(self, most: int | None) -> str:
        rows = [
            (line, str(counts["unit by line"]), str(counts["handed on"]), str(counts["read by line"]))
            for line, counts in self.by_pins()
        ]
        headings = ("line", "units pinned", "handed on", "reads after it")
        return f"What pins most{_more(rows, most)}:\n\n{as_table([headings, *rows[:most]])}"


def _more(rows: Sequence[object], most: int | None) -> str:
    return f" (the first {most} of {len(rows)}; --all shows the others)" if most and len(rows) > most else ""


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
