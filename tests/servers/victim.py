"""A process that uses every server and comes to a bad end, to test that nothing of it is left behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from pindb.testing.servers.processes.waiting import wait_until

PROJECT = Path(__file__).parents[2]

PROGRAM = """
import os, signal, sys
from tests.servers import Kept, PostgresCluster, Valkey
signal.signal(signal.SIGINT, signal.default_int_handler)
# Should the test that watches this be killed itself, this ends too.
signal.alarm(120)
with PostgresCluster(standbys=1), Valkey(), Kept(["sh", "-c", "(trap '' TERM; exec sleep 600) & wait"]):
    print("started", flush=True)
    {then}
"""


class Victim:
    """A Python process in a session, and with a temporary directory, of its own; ``then`` is what it does at last."""

    def __init__(self, then: str) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="pindb-victim-"))
        # PostgreSQL has to get through when it runs under another account.
        self.scratch.chmod(0o755)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(then=then)],
            cwd=PROJECT,
            env=os.environ | {"TMPDIR": str(self.scratch)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def wait_until_started(self) -> None:
        """Return when everything it uses is up."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "started\n", "the victim ended before its servers were up"

    def send(self, number: signal.Signals) -> None:
        """Signal its whole process group, as Ctrl-C does."""
        os.killpg(self.process.pid, number)

    def descendants(self) -> set[int]:
        """Return its id, and those of all processes it has started by itself or through others."""
        return family_of(self.process.pid)

    def assert_leaves_nothing_of(self, started: set[int]) -> None:
        """Fail unless it ends, these processes end, and its temporary directory becomes empty."""
        self.process.wait(timeout=30)
        wait_until(
            lambda: not started & living().keys() and not self._leftovers(),
            timeout=30,
            what=lambda: f"nothing is left of {sorted(started & living().keys())}, {self._leftovers()}",
        )

    def close(self) -> None:
        """End it, should it still be there."""
        with contextlib.suppress(ProcessLookupError):
            self.send(signal.SIGKILL)
        self.process.communicate()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _leftovers(self) -> list[str]:
        files = [str(path) for path in self.scratch.iterdir()]
        return files + [command for command in _ps("args=") if str(self.scratch) in command]


def family_of(pid: int) -> set[int]:
    """Return the id of a process, and those of all processes it has started by itself or through others."""
    parent_of = living()
    found = {pid}
    while more := {child for child, parent in parent_of.items() if parent in found} - found:
        found |= more
    return found


def living() -> dict[int, int]:
    """Return the ids of all processes that have not ended, with their parents'."""
    rows = [line.split() for line in _ps("pid=,ppid=,stat=")]
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}


def _ps(columns: str) -> list[str]:
    listing = subprocess.run(["ps", "-A", "-ww", "-o", columns], capture_output=True, text=True, check=True)
    return listing.stdout.splitlines()
