"""`Site`: the processes of the histories' site: two web servers and three kinds of workers, started again when killed."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.demo.queues import QUEUES
from tests.servers import Kept

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 60.0
KEEP_SECONDS = "30"
WEB = ("new", "old")
WORKERS = ("prefork", "threads", "dramatiq")


@dataclass(frozen=True, slots=True)
class _Command:
    words: list[str]
    environment: Mapping[str, str]
    ready: str


class Site:
    """The processes, by name: web servers "new" and "old", workers "prefork", "threads" and "dramatiq"."""

    urls: tuple[str, str]

    def __init__(self, environment: Mapping[str, str]) -> None:
        server = [sys.executable, "-m", "tests.shop.serve", "0"]
        kept_open = {**environment, "SHOP_KEEP": KEEP_SECONDS}
        celery = QUEUES["celery"].worker
        dramatiq = [
            "tests.histories.store.actors" if word == "tests.shop.actors" else word
            for word in QUEUES["dramatiq"].worker("threads", 2)
        ]
        self._commands = {
            "new": _Command(server, environment, "Serving the shop"),
            "old": _Command(server, {**environment, "SHOP_OLD": "1"}, "Serving the shop"),
            "prefork": _Command([*celery("prefork", 2), "-n", "prefork@%h"], kept_open, " ready."),
            "threads": _Command([*celery("threads", 3), "-n", "threads@%h"], environment, " ready."),
            "dramatiq": _Command(dramatiq, kept_open, "worker is ready."),
        }
        self._processes: dict[str, Kept] = {}
        self._logs: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            for name in self._commands:
                self._start(name)
            for name in self._commands:
                self._wait(name)
            self.urls = tuple(self._url(name) for name in WEB)  # type: ignore[assignment]
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def children(self, name: str) -> list[int]:
        """Return the ids of a worker's processes, without its main process."""
        main = self._processes[name].pid
        path = Path(f"/proc/{main}/task/{main}/children")
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def kill(self, name: str) -> None:
        """Kill a worker and its processes, and start it again."""
        self._processes[name].kill()
        self._restart(name)

    def mend(self) -> list[str]:
        """Start again what has ended by itself, as a worker does whose processes were killed; return the names."""
        ended = [name for name, process in self._processes.items() if process.returncode is not None]
        for name in ended:
            self._restart(name)
        return ended

    def log(self) -> str:
        """Return what all processes have logged."""
        return "\n".join([*self._logs, *(process.log_text() for process in self._processes.values())])

    def _restart(self, name: str) -> None:
        self._logs.append(self._processes[name].log_text())
        self._processes[name].stop()
        self._start(name)
        self._wait(name)

    def _start(self, name: str) -> None:
        command = self._commands[name]
        process = Kept(command.words, env=command.environment, cwd=ROOT)
        self._processes[name] = process
        self._stack.callback(process.stop, timeout=1)

    def _wait(self, name: str) -> None:
        self._processes[name].wait_for_log(self._commands[name].ready, START_TIMEOUT)

    def _url(self, name: str) -> str:
        found = re.search(r"http://\S+/$", self._processes[name].log_text(), re.MULTILINE)
        assert found is not None
        return found[0]
