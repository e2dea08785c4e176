"""`manage.py pindb_doctor`: looks at all that pindb needs in this project, and says what to type."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from pindb.config.checks import config_in_force
from pindb.exceptions import first_line
from pindb.management.doctor import carried, checked, clocks, probes, queues, servers, web
from pindb.management.doctor.findings import Finding, Findings, Verdict, wrong

SECONDS: Final = 5.0

Section = tuple[str, Callable[[], Findings]]


class Command(BaseCommand):
    """Prints a line for each finding, section by section, or JSON."""

    help = (
        "Connects to every database server and to the broker, as the project is configured, and says what is wrong or "
        "unwise, with what to type. Writes nothing; with --send it publishes a probe task. Exit status: 0 nothing is "
        "wrong, though some of it may be unwise; 1 something is wrong."
    )
    # They are the first thing that it looks at itself.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON, one document")
        parser.add_argument("--cookie", metavar="VALUE", help="say whether this process can read a cookie or token")
        parser.add_argument(
            "--send", nargs="*", metavar="QUEUE", help="publish a probe task to these queues, or to all that are known"
        )
        parser.add_argument(
            "--import",
            action="append",
            default=[],
            dest="modules",
            metavar="MODULE",
            help="import it first, e.g. that of celery -A, where Django starts without it",
        )
        parser.add_argument(
            "--timeout", type=float, default=SECONDS, metavar="SECONDS", help=f"wait so long for answers ({SECONDS:g})"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        if not 0 < options["timeout"] < 1e6:
            raise CommandError("--timeout wants a number of seconds over 0, e.g. --timeout 10.")
        try:
            status = self._show(options)
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
            status = 130
        if status:
            sys.exit(status)

    def _show(self, options: Any) -> int:
        """Print the findings; return the exit status."""
        as_json, counts = options["json"], Counter[Verdict]()
        document: dict[str, list[Any]] = {}
        for name, section in _sections(options):
            if not as_json:
                self._say(f"{name}:")
            document[name] = []
            for finding in _guarded(section):
                counts[finding.verdict] += 1
                document[name].append(finding.document())
                if not as_json:
                    self._say(self._line(finding))
        status = int(counts[Verdict.WRONG] > 0)
        if as_json:
            self._say(json.dumps({"status": status, "sections": document}, indent=1))
        else:
            self._say(", ".join(f"{counts[verdict]} {verdict.value}" for verdict in reversed(Verdict)) + ".")
        return status

    def _line(self, finding: Finding) -> str:
        colours = {Verdict.OK: self.style.SUCCESS, Verdict.UNWISE: self.style.WARNING, Verdict.WRONG: self.style.ERROR}
        word = finding.verdict.value
        return f"  {colours[finding.verdict](word)}{' ' * (8 - len(word))}{finding}"

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()  # a server that hangs shows where


def _sections(options: Any) -> Iterator[Section]:
    """Produce the sections in their order; those after the settings want settings that hold together."""
    seconds: float = options["timeout"]
    yield "settings", partial(checked.settings, options["modules"], seconds)
    config = config_in_force()
    if config is None:
        return
    yield "web", web.web
    if options["cookie"] is not None:
        yield "cookie", partial(carried.carried, options["cookie"], config, time.time())
    yield "queues", partial(queues.queues, config, seconds)
    yield "servers", partial(servers.servers, config, seconds)
    yield "clocks", partial(clocks.clocks, config, seconds)
    if options["send"] is not None:
        yield "pins on their way", partial(probes.probes, config, options["send"], seconds)


def _guarded(section: Callable[[], Findings]) -> Iterator[Finding]:
    """Produce the findings of a section; what it raises is one more."""
    try:
        yield from section()
    except Exception as error:
        yield wrong(f"pindb could not look at the rest of this: {first_line(error)}.", "Correct what the error names.")
