"""`python -m tests.install WHEEL`: installs the wheel with each extra alone, and nothing else, and uses it there.

An environment lacks what its extra does not bring, a broker's or backend's library above all. The programs beside this
file run in it, away from the checkout. Exit status 0: all passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import Valkey
from tests.services import AMQP

PROGRAMS = Path(__file__).parent
TIMEOUT = 300


@dataclass(frozen=True)
class Environment:
    """What is installed: the wheel with an extra, and more packages; and the program that must work there."""

    name: str
    extra: str
    more: tuple[str, ...]
    program: str
    service: str = ""
    """What the program connects to."""
    lacks: tuple[str, ...] = ("redis", "pika", "kombu", "dramatiq")
    """Modules that must be missing, or the environment proves nothing."""


ENVIRONMENTS = (
    Environment("no extra", "", (), "bare.py"),
    Environment("celery", "[celery]", (), "celery_task.py", "rabbitmq", lacks=("redis", "pika", "dramatiq")),
    Environment("toolbar", "[toolbar]", (), "toolbar_page.py"),
    Environment("opentelemetry", "[opentelemetry]", (), "metrics_counted.py"),
    Environment("pytest", "[pytest]", (), "pytest_fixtures.py"),
    Environment("servers", "[pytest,servers]", ("pytest-django",), "standby.py"),
    Environment("dramatiq", "[dramatiq]", (), "dramatiq_actor.py", lacks=("redis", "pika", "kombu")),
    Environment(
        "dramatiq, pika",
        "[dramatiq]",
        ("dramatiq[rabbitmq]",),
        "dramatiq_actor.py",
        "rabbitmq",
        lacks=("redis", "kombu"),
    ),
    Environment(
        "dramatiq, redis", "[dramatiq]", ("dramatiq[redis]",), "dramatiq_actor.py", "redis", lacks=("pika", "kombu")
    ),
)


class FailedError(Exception):
    """A command failed; the message is what it printed."""


def run(command: Sequence[str | Path]) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=TIMEOUT, cwd=PROGRAMS, env=environment
    )
    if done.returncode:
        raise FailedError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def install(environment: Environment, wheel: Path, directory: Path) -> Path:
    """Make the environment; return its Python."""
    venv.create(directory, with_pip=False)  # the pip of this environment will do, and leaves that one bare
    python = directory / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check", "install"]
    run([*pip, f"{wheel}{environment.extra}", *environment.more])
    for module in environment.lacks:
        if run([python, "-c", f"import importlib.util as i; print(i.find_spec({module!r}) is not None)"]) == "True":
            raise FailedError(f"{module} is installed, which this environment is to do without.")
    return python


@contextmanager
def services(environments: Sequence[Environment]) -> Iterator[dict[str, str]]:
    """Give the URL of each service; a Redis is started."""
    if not any(each.service == "redis" for each in environments):
        yield {"rabbitmq": AMQP, "": ""}
        return
    with Valkey() as valkey:
        yield {"rabbitmq": AMQP, "redis": valkey.url(), "": ""}


def check(environment: Environment, wheel: Path, directory: Path, urls: dict[str, str]) -> str:
    """Return what to print of an environment that works; raise `FailedError` for one that does not."""
    began = time.monotonic()
    python = install(environment, wheel, directory)
    installed = time.monotonic()
    told = run([python, environment.program, *filter(None, [urls[environment.service]])])
    return f"{told} (installed in {installed - began:.0f} s, ran in {time.monotonic() - installed:.0f} s)"


def main(wheel: str, *names: str) -> int:
    """Check the environments called `names`, or all; print a line of each as it is done."""
    environments = [each for each in ENVIRONMENTS if not names or each.name in names]
    print(f"{wheel}: {len(environments)} environments, Python {sys.version.partition(' ')[0]}", flush=True)
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="pindb-install-") as directory,
        services(environments) as urls,
        ThreadPoolExecutor(3) as pool,
    ):
        checks = [
            pool.submit(check, each, Path(wheel).resolve(strict=True), Path(directory, str(number)), urls)
            for number, each in enumerate(environments)
        ]
        for environment, future in zip(environments, checks, strict=True):
            try:
                print(f"ok      {environment.name}: {future.result()}", flush=True)
            except (FailedError, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f"FAILED  {environment.name}: {error}", flush=True)
    print(f"{len(environments) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
