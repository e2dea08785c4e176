"""One run: the site under load while things go wrong, and what its history proves."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from threading import Event, Thread
from typing import Any

from pindb.testing import load_history
from pindb.testing.servers.processes.keeping import KeptDirectory
from tests.demo.processes import environment
from tests.histories.clients import SERVERS_OWN, Browser
from tests.histories.failures import EVERY_SECONDS, Chaos
from tests.histories.figures import Figures, figures
from tests.histories.messages import Messages, new_lines
from tests.histories.servers import BROKERS, SETTINGS, Servers
from tests.histories.site import WORKERS, Site

MODES: dict[str, Mapping[str, Any]] = {
    "time": {},
    "position": {"PINDB_CONSISTENCY": "position"},
    "monotonic": {"PINDB_CONSISTENCY": "position", "PINDB_MONOTONIC_READS": True},
}
ALWAYS = {"PINDB_MISSING_HEADER": "master", "PINDB_PINNING_SECONDS": 30, "PINDB_HEALTH_SECONDS": 2}
READERS = 1 / 3
"""Which share of the browsers never writes."""
DRAIN_SECONDS = 60.0
STUCK_SECONDS = 15.0
QUIET_SECONDS = 1.5

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to do. The seed decides what clients do and what goes wrong, not who is faster."""

    seed: str
    operations: int
    mode: str = "monotonic"
    broker: str = "redis"
    routing: str = "pindb"
    mutant: str = ""
    browsers: int = 8
    pause: float = 0.1
    """Seconds between two clicks in a tab, on average."""
    every: float = EVERY_SECONDS
    """Seconds between two things that go wrong."""
    lag: float | None = None
    """Seconds by which each standby lags from start to end, instead of lags that change."""
    everything: bool = False
    """Whether the run goes on until each thing has gone wrong."""
    promotion: bool = False
    """Whether a standby becomes the master. It is one standby less then."""
    limit: float = 900.0
    """Seconds after which clients stop, however little they have done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has shown."""

    figures: Figures
    answers: Counter[str]
    went_wrong: Counter[str]
    story: list[tuple[float, float, str]]
    """What went wrong on purpose, on the clock of the operations: from when, until when."""
    history: str
    """The file."""
    messages: Messages
    odd: list[str]
    """Answers that no view has given."""
    seconds: float
    log: str

    @property
    def wrong(self) -> int:
        """How much is wrong: 0 where pindb has kept its promises. The views answer all failures but their own."""
        return self.figures.wrong + self.answers[SERVERS_OWN] + len(self.messages.unexplained)


class Files:
    """What the processes of the site write in a directory."""

    def __init__(self, directory: Path) -> None:
        self.history = directory / "history.jsonl"
        self.failures = directory / "failures.jsonl"
        self.messages = directory / "messages"


def site_environment(plan: Plan, servers: Servers, files: Files) -> Mapping[str, str]:
    """Return the environment of the site's processes."""
    return environment(
        servers.cluster,
        SETTINGS,
        routing=plan.routing,
        pindb=json.dumps({**ALWAYS, **MODES[plan.mode]}),
        queue="dramatiq",  # the shop makes its broker for it; Celery needs no such hint
        broker_url=servers.broker.url(),
        result_backend=servers.results.url(1),
        celery=json.dumps(BROKERS[plan.broker].celery),
        history=str(files.history),
        failures=str(files.failures),
        messages=str(files.messages),
        mutant=plan.mutant,
    )


def browsers_of(plan: Plan, site: Site) -> list[Browser]:
    """Return the browsers: some of them only read."""
    readers = round(plan.browsers * READERS)
    return [
        Browser(plan.seed, number, site.url, reads_only=number < readers, pause=plan.pause)
        for number in range(plan.browsers)
    ]


def measure(plan: Plan, servers: Servers, progress: Progress = lambda done, of: None) -> Outcome:
    """Run the plan, on servers that no other run has used."""
    with KeptDirectory("pindb-histories-") as directory:
        files = Files(directory.path)

        def env() -> Mapping[str, str]:
            return site_environment(plan, servers, files)

        began = time.monotonic()
        with Site(env(), plan.seed) as site:
            move = env if plan.promotion else None
            with Chaos(plan.seed, site, servers, every=plan.every, lag=plan.lag, move=move) as chaos:
                browsers = browsers_of(plan, site)
                with clicking(browsers):
                    wait_for_operations(
                        plan, files.history, progress, until=lambda: chaos.is_complete or not plan.everything
                    )
            if chaos.error is not None:
                raise chaos.error
            found = _wait_for_the_queues(
                site, Messages(files.messages, loses=BROKERS[plan.broker].loses), files.history
            )
            log = site.log()
        return Outcome(
            figures(
                load_history(files.history), _failures(files.failures, plan), monotonic_reads=plan.mode == "monotonic"
            ),
            sum((browser.answers for browser in browsers), Counter()),
            chaos.done,
            chaos.story,
            files.history.read_text(),
            found,
            [answer for browser in browsers for answer in browser.odd],
            time.monotonic() - began,
            log,
        )


def wait_for_operations(
    plan: Plan, history: Path, progress: Progress = lambda done, of: None, *, until: Callable[[], bool] = lambda: True
) -> None:
    """Return when enough operations are recorded and `until()` is true, or the time is up."""
    deadline = time.monotonic() + plan.limit
    for done in _recorded(history):
        finished = (done >= plan.operations and until()) or time.monotonic() > deadline
        progress(plan.operations if finished else min(done, plan.operations - 1), plan.operations)
        if finished:
            break
        time.sleep(0.3)


@contextmanager
def clicking(browsers: list[Browser]) -> Iterator[None]:
    """Let the browsers click in the block."""
    stopped = Event()
    threads: list[Thread] = []
    try:
        for browser in browsers:
            threads += browser.start(stopped)
        yield
    finally:
        stopped.set()
    for thread in threads:  # after an exception they end when the site does
        thread.join()


def _recorded(history: Path) -> Iterator[int]:
    """Produce the number of lines in the file, again and again."""
    return accumulate(len(lines) for lines in new_lines(history))


def _wait_for_the_queues(site: Site, messages: Messages, history: Path) -> Messages:
    """Return what has become of messages when workers have done all of them, and nothing more is recorded.

    Messages whose acknowledgement was lost with the broker come back when their workers have ended. So workers that do
    nothing for long are killed once.
    """
    site.mend()
    deadline = time.monotonic() + DRAIN_SECONDS
    recorded, quiet_since, killed = -1, time.monotonic(), False
    for now in _recorded(history):
        messages.read()
        quiet = time.monotonic() - quiet_since
        if time.monotonic() > deadline or (quiet > QUIET_SECONDS and not messages.waiting):
            break
        if now != recorded:
            recorded, quiet_since = now, time.monotonic()
        elif quiet > STUCK_SECONDS and not killed:
            site.kill(*WORKERS)
            killed = True
        time.sleep(0.1)
    return messages


def _failures(path: Path, plan: Plan) -> list[Mapping[str, Any]]:
    """Return what has failed. Without pindb nothing is its fault."""
    if not path.exists():
        return []
    failures: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    return [{**failure, "by_pindb": failure["by_pindb"] and plan.routing == "pindb"} for failure in failures]
