"""`Site`: the processes of the histories' site: web servers, three kinds of workers, started again when killed."""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random

from pindb.testing.servers.processes.started import Started
from tests.demo.queues import QUEUES
from tests.histories.names import CLOCKS_APART
from tests.servers import Kept

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 60.0
HOST = "127.0.0.1"
WEB = ("wsgi 1", "wsgi 2", "asgi")
WORKERS = ("prefork", "threads", "dramatiq")
VARIABLES = {"prefork": {"SHOP_KEEP": "30"}, "dramatiq": {"SHOP_KEEP": "30"}}
READY = {"prefork": " ready.", "threads": " ready.", "dramatiq": "worker is ready.", "asgi": "Uvicorn running on"}
OLD = {"SHOP_OLD": "1"}
SHARE_OF_THE_OLD = 0.1
"""How many of the requests go to the web server that still runs the old release."""


class Site(Started):
    """The processes, by name: web servers "wsgi 1", "wsgi 2" and "asgi", workers "prefork", "threads" and "dramatiq".

    One of the web servers runs the release from before pindb's adapters. Each rolling deploy makes it another one.
    The clock of each process is wrong, by another time after each start.
    """

    def __init__(self, environment: Mapping[str, str], seed: str) -> None:
        self._environment = environment
        self._clocks = Random(f"{seed} clocks")
        ports = dict(zip(WEB, _free_ports(len(WEB)), strict=True))
        self._urls = {name: f"http://{HOST}:{port}/" for name, port in ports.items()}
        self._old = WEB[1]
        celery = QUEUES["celery"].worker
        dramatiq = QUEUES["dramatiq"].worker("threads", 2)
        dramatiq[dramatiq.index("tests.shop.actors")] = "tests.histories.store.actors"
        self._commands = {
            "prefork": [*celery("prefork", 2), "-n", "prefork@%h"],
            "threads": [*celery("threads", 3), "-n", "threads@%h"],
            "dramatiq": dramatiq,
            **{name: _web_server(name, port) for name, port in ports.items()},
        }
        self._processes: dict[str, Kept] = {}
        self._logs: list[str] = []

    def _start_all(self, stack: ExitStack) -> None:
        self._stack = stack
        self._start(*self._commands)

    def url(self, chance: Random) -> str:
        """Return the URL of a web server, drawn by chance."""
        new = [name for name in WEB if name != self._old]
        return self._urls[self._old if chance.random() < SHARE_OF_THE_OLD else chance.choice(new)]

    def pid(self, name: str) -> int:
        """Return the id of a process of the site."""
        return self._processes[name].pid

    def children(self, name: str) -> list[int]:
        """Return the ids of a worker's processes, without its main process."""
        main = self._processes[name].pid
        path = Path(f"/proc/{main}/task/{main}/children")
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def kill(self, *names: str) -> None:
        """Kill processes of the site, workers with their children, and start them again."""
        for name in names:
            self._processes[name].kill()
            self._logs.append(self._processes[name].log_text())
            self._processes[name].stop()
        self._start(*names)

    def deploy(self, *names: str) -> None:
        """Deploy: have these processes end as they like to, one after the other, and start again.

        The next of the web servers runs the old release from then on.
        """
        self._old = WEB[(WEB.index(self._old) + 1) % len(WEB)]
        for name in names:
            self._processes[name].stop()
            self._logs.append(self._processes[name].log_text())
            self._start(name)

    def mend(self) -> list[str]:
        """Start again what has ended by itself, as a worker does whose processes were killed; return the names."""
        ended = [name for name, process in self._processes.items() if process.returncode is not None]
        for name in ended:
            self._logs.append(self._processes[name].log_text())
            self._processes[name].stop()
        self._start(*ended)
        return ended

    def move(self, environment: Mapping[str, str]) -> None:
        """Start all processes again, with another environment."""
        self._environment = environment
        self.kill(*self._commands)

    def log(self) -> str:
        """Return what all processes have logged."""
        return "\n".join([*self._logs, *(process.log_text() for process in self._processes.values())])

    def _start(self, *names: str) -> None:
        for name in names:
            wrong_by = self._clocks.uniform(-CLOCKS_APART / 2, CLOCKS_APART / 2)
            environment = {**self._environment, **VARIABLES.get(name, {}), **(OLD if name == self._old else {})}
            environment["SHOP_CLOCK"] = f"{wrong_by:.3f}"
            self._processes[name] = Kept(self._commands[name], env=environment, cwd=ROOT)
            self._stack.callback(_end, self._processes[name])
        for name in names:
            self._processes[name].wait_for_log(READY.get(name, "Serving the shop"), START_TIMEOUT)


def _free_ports(count: int) -> list[int]:
    """Return ports that stay free while their servers start again: connections take theirs from 32768 on."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            found.append(port)
    return found


def _web_server(name: str, port: int) -> list[str]:
    """Return the command of a web server: a WSGI or an ASGI server."""
    if name != "asgi":
        return [sys.executable, "-m", "tests.shop.serve", str(port)]
    application = ["--factory", "django.core.asgi:get_asgi_application", "--lifespan", "off"]
    uvicorn = [sys.executable, "-m", "uvicorn", *application, "--host", HOST, "--port", str(port)]
    return [*uvicorn, "--no-access-log", "--timeout-graceful-shutdown", "5"]


def _end(process: Kept) -> None:
    """Kill it: nobody needs what it still does, and a worker takes its time to end."""
    if process.returncode is None:
        process.kill()
    process.stop()
