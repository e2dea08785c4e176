"""`manage.py pindb_status`: shows how every server of every DB set is, for people and for monitoring."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from pindb.config.database_sets import current_config
from pindb.config.rollout import Rollout
from pindb.exceptions import PinDbConfigError
from pindb.servers import survey

WATCH_SECONDS = 2.0
CLEAR = "\x1b[H\x1b[2J"


class Command(BaseCommand):
    """Prints a table or JSON."""

    help = (
        "Asks the master and the replicas of each DB set for their state. Says whether each replica would be read now, "
        "and why not. Exit status: 0 every replica would be read; 1 some are skipped; 2 a DB set has no master, or no "
        "replica that can be read; 3 the settings do not hold together."
    )
    # For monitoring: it has to say what is wrong with a server when something is wrong with the project too.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON, one document a line")
        parser.add_argument("--watch", nargs="?", type=float, const=WATCH_SECONDS, metavar="SECONDS",
                            help=f"ask again every so many seconds ({WATCH_SECONDS:g}) until interrupted")  # fmt: skip

    def handle(self, *_args: Any, **options: Any) -> None:
        pause: float | None = options["watch"]
        if pause is not None and not 0 < pause < 1e6:
            raise CommandError("--watch wants a number of seconds over 0, e.g. --watch 2.", returncode=3)
        code = 0
        try:
            code = self.show(as_json=options["json"], clear=pause is not None)
            while pause is not None:
                time.sleep(pause)
                code = self.show(as_json=options["json"], clear=True)
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:  # `| head` has seen enough; the interpreter flushes once more as it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except PinDbConfigError as error:
            raise CommandError(str(error), returncode=3) from error
        if code:
            sys.exit(code)

    def show(self, *, as_json: bool, clear: bool) -> int:
        config = current_config()
        sets = survey.survey(config)
        if as_json:
            self.stdout.write(json.dumps(survey.as_dict(sets, config)))
        else:
            if clear and self.stdout.isatty():
                self.stdout.write(CLEAR, ending="")
            self.stdout.write(survey.table(sets, self.style.SUCCESS, self.style.ERROR))
            lag = max((replica.lag_seconds or 0.0 for db_set in sets for replica in db_set.replicas), default=0.0)
            self.stdout.write(f"PINDB_PINNING_SECONDS {config.settings.pinning_seconds:g}, longest lag now {lag:.2f} s")
            for warning in survey.lag_warnings(sets, config):
                self.stdout.write(self.style.WARNING(str(warning)))
            if not config.settings.enabled:
                self.stdout.write(self.style.WARNING("PINDB_ENABLED is False: all reads use the masters."))
            elif config.rollout[:2] != Rollout()[:2]:
                by = "PINDB_SWITCH" if config.rollout.is_switched else "the settings"
                self.stdout.write(self.style.WARNING(f"Reads from replicas: {config.rollout}, says {by}."))
        self.stdout.flush()
        return survey.exit_status(sets)
