"""``Kept``: a helper process, such as a Celery worker, that cannot outlive the tests that started it."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from pindb.testing.servers.processes.account import Account
from pindb.testing.servers.processes.keeping import Keeper, KeptDirectory
from pindb.testing.servers.processes.waiting import wait_until

TAIL_LINES = 30


class ProcessEndedError(RuntimeError):
    """A process ended, or failed, that should not have; the message has its log's tail."""


class Kept:
    """A process with a log, ended together with its process group when it is stopped or when this process ends.

    ``env`` and ``cwd`` are as in ``subprocess.Popen``. ``stop_signal`` and ``grace`` (seconds until SIGKILL) are what
    its keeper uses when this process has died without stopping it.
    """

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace: float = 10.0,
        account: Account | None = None,
        directory: KeptDirectory | None = None,
    ) -> None:
        self.command = [os.fspath(word) for word in command]
        self._final_log: str | None = None
        # A file without a name: there is nothing to remove, and it can be read after the process has ended.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        user = ["--user", account.uid_gid] if account else []
        try:
            self._keeper = Keeper(
                ["run", *user, "--signal", str(int(stop_signal)), "--grace", str(grace), "--", *self.command],
                log=self._log,
                env=env,
                cwd=cwd,
                pass_fds=[directory.keeper.fileno()] if directory else [],
            )
        except BaseException:
            self._log.close()
            raise
        if not self._keeper.report:
            self.stop()
            raise ProcessEndedError(self._with_tail("could not be started"))
        self.pid = int(self._keeper.report)

    @property
    def returncode(self) -> int | None:
        """The exit status once the process has ended (128 + N for signal N, as shells have it), None before."""
        return self._keeper.process.poll()

    def wait(self, timeout: float) -> int:
        """Wait for the process to end by itself; return its exit status. Raise TimeoutError at the deadline."""
        try:
            return self._keeper.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(self._with_tail(f"has not ended within {timeout:g} s")) from None

    def wait_for_success(self, timeout: float) -> None:
        """Wait for the process to end by itself. Raise ProcessEndedError if it failed, TimeoutError at the deadline."""
        if status := self.wait(timeout):
            raise ProcessEndedError(self._with_tail(f"failed with status {status}"))

    def stop(self, timeout: float = 10.0) -> None:
        """End the process with its stop signal (SIGTERM), or SIGKILL after ``timeout`` seconds. May be repeated."""
        self._keeper.close(timeout)
        if self._final_log is None:
            self._final_log = self.log_text()
            self._log.close()

    def kill(self) -> None:
        """Crash the process: SIGKILL for it, then at once for what is left of its process group."""
        self._keeper.tell("kill")
        self.wait(timeout=10)

    def log_text(self) -> str:
        """Return everything the process has written to stdout and stderr so far."""
        if self._final_log is not None:
            return self._final_log
        log = self._log.fileno()
        return os.pread(log, os.fstat(log).st_size, 0).decode(errors="replace")

    def wait_for_log(self, text: str, timeout: float = 30.0) -> None:
        """Wait until the log contains ``text``. Raise when the process has ended without it, or at the deadline."""

        def found() -> bool:
            # In this order: what is written between the two questions is in the log that is read.
            ended = self.returncode is not None
            if text in self.log_text():
                return True
            if ended:
                raise ProcessEndedError(
                    self._with_tail(f"ended with status {self.returncode} before it logged {text!r}")
                )
            return False

        wait_until(found, timeout, lambda: self._with_tail(f"has not logged {text!r}"))

    def _with_tail(self, what: str) -> str:
        tail = "\n".join(self.log_text().splitlines()[-TAIL_LINES:])
        return f"{' '.join(self.command)}: {what}. The end of its log:\n{tail or '(it is empty)'}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
