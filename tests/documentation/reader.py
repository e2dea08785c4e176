"""`Reader`: works through a page in an empty folder, on this machine, with what the page says is installed."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from packaging.requirements import Requirement

from tests.documentation.session import Command, File, Printed, Step, is_shown_in
from tests.servers import Kept, free_port, wait_until

PORT: Final = "8000"
"""The port on the page. A free one takes its place."""
INSTALLED: Final = ("python -m venv", ". venv/", "pip install")
"""Commands that make the environment. The tests have one."""
STAYING: Final = ("python servers.py", "python manage.py runserver", "celery ")
"""Commands that have a terminal of their own. One that is typed again was stopped with Ctrl+C before."""
TIMEOUT: Final = 60.0


class Reader:
    """Somebody who does what a page says. `do()` raises `AssertionError` where the page is wrong."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._port: Final = str(free_port())
        self._programs: Final[dict[str, Kept]] = {}
        self._environment: Final = {
            **{
                name: text
                for name, text in os.environ.items()
                if not name.startswith(("DJANGO_", "SHOP_", "COVERAGE_"))
            },
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as stack:
            for command, program in self._programs.items():
                stack.callback(program.stop)
                if error is not None:
                    error.add_note(f"$ {command}\n{program.log_text()}")

    def do(self, step: Step) -> None:
        """Write a file, type a command, or look for what a program prints."""
        match step:
            case File():
                step.write(self.directory)
            case Printed():
                self._wait_for(step.block.text, list(self._programs.values()))
            case Command():
                text = step.text.replace(PORT, self._port)
                if text.startswith(INSTALLED):
                    self._is_installed(text)
                elif text.startswith("cd "):
                    self.directory /= text.removeprefix("cd ")
                elif text.startswith(STAYING):
                    self._start(text, step.output.replace(PORT, self._port))
                else:
                    self._run(text, step.output)

    def _is_installed(self, text: str) -> None:
        for word in shlex.split(text.removeprefix("pip install")) if text.startswith("pip") else ():
            assert version(Requirement(word).name)

    def _start(self, text: str, shown: str) -> None:
        if text in self._programs:
            self._programs.pop(text).stop()
        program, *arguments = shlex.split(text)
        path = shutil.which(program, path=self._environment["PATH"])
        assert path, text
        # Ctrl+C
        kept = Kept([path, *arguments], env=self._environment, cwd=self.directory, stop_signal=signal.SIGINT)
        self._programs[text] = kept
        self._wait_for(shown, [kept])
        if "runserver" in text:
            wait_until(self._is_served, TIMEOUT, f"{text} serves")

    def _is_served(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", int(self._port)), timeout=1):
            return True
        return False

    def _wait_for(self, shown: str, programs: list[Kept]) -> None:
        def printed() -> str:
            return "\n".join(program.log_text() for program in programs)

        wait_until(lambda: is_shown_in(shown, printed()), TIMEOUT, lambda: f"the page: {shown}\nprinted: {printed()}")

    def _run(self, text: str, shown: str) -> None:
        printed = [""]

        def is_as_shown() -> bool:
            done = subprocess.run(
                ["bash", "-c", text],
                cwd=self.directory,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
            )
            printed[0] = f"{done.stdout}{done.stderr}"
            return done.returncode == 0 and is_shown_in(shown, done.stdout)

        # A reader is slower than this: the replica may not have yet what a command of Django's asks for.
        if "manage.py" in text and "--write" not in text:
            wait_until(is_as_shown, TIMEOUT, lambda: f"$ {text}\n{shown}\nIt prints:\n{printed[0]}")
        else:
            assert is_as_shown(), f"$ {text}\n{shown}\nIt prints:\n{printed[0]}"
