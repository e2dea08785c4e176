"""pytest-celery's nodes on local processes: each class here has the face of a container."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.servers import Kept

ROOT = Path(__file__).parents[3]
READY_TIMEOUT = 60.0


class Service:
    """A broker or a backend that runs already: what a worker needs to know of it."""

    status = "running"

    def __init__(self, name: str, url: str) -> None:
        self.name = self.id = name
        self.celeryconfig = {"url": url, "host_url": url}

    def ready(self) -> bool:
        return True

    def logs(self) -> str:
        return ""

    def reload(self) -> None:
        pass

    def teardown(self) -> None:
        """It is ended by whoever started it."""


class WorkerProcess:
    """A Celery worker, as `celery worker` runs it."""

    def __init__(self, name: str, pool: str, environment: Mapping[str, str], options: tuple[str, ...] = ()) -> None:
        self.name = self.id = name
        self.celeryconfig: dict[str, Any] = {}
        self._arguments = (pool, environment, options)
        self._process = self._start()

    def _start(self) -> Kept:
        pool, environment, options = self._arguments
        command = [sys.executable, "-m", "celery", "-A", "tests.integration.celery.project", "worker", f"--pool={pool}"]
        quick = ["--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel=INFO", "--concurrency=4"]
        # Measuring coverage slows a worker. Those of prefork run the same lines of pindb as the others, and more.
        inherited = {name: os.environ[name] for name in os.environ if pool == "prefork" or "COVERAGE" not in name}
        return Kept(
            [*command, *quick, f"--hostname={self.name}-{uuid.uuid4().hex[:8]}@%h", *options],
            env={**inherited, **environment},
            cwd=ROOT,
        )

    @property
    def status(self) -> str:
        return "running" if self._process.returncode is None else "exited"

    @property
    def pid(self) -> int:
        return self._process.pid

    def worker_name(self) -> str:
        return self.name

    def ready(self) -> bool:
        self._process.wait_for_log(" ready.", READY_TIMEOUT)
        return True

    def logs(self) -> str:
        return self._process.log_text()

    def kill(self, signal: str | int = "SIGKILL") -> None:
        self._process.kill()

    def restart(self, timeout: float = 10.0, *, options: tuple[str, ...] | None = None) -> None:
        self._process.stop(timeout)
        if options is not None:
            self._arguments = (*self._arguments[:2], options)
        self._process = self._start()
        self.ready()

    def reload(self) -> None:
        pass

    def teardown(self) -> None:
        self._process.stop(timeout=20)
