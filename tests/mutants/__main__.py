"""`make mutants`: prints which test notices which change. None may survive."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Final

from tests.mutants.changes import CHANGES, Change

ROOT = Path(__file__).parent.parent.parent
COPIED = ("pindb", "pindb_celery", "pindb_dramatiq", "tests")
FAILED = 1
"""pytest's exit status where tests have failed. Others mean that it could not run them."""


LANES: Final = min(os.cpu_count() or 1, 4)


def make_copy(directory: Path) -> None:
    """Copy the checkout, as far as its tests need it."""
    for name in COPIED:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", directory)


def run(copy: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests on a copy."""
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command = [*pytest, *(f"tests/{test}" for test in tests)]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


@contextmanager
def changed(copy: Path, change: Change, number: int) -> Iterator[None]:
    """Apply a change. Python compiles the file again, for its time has changed too."""
    path = copy / change.file
    text = path.read_text()
    assert text.count(change.old) == 1, f"{change.file} does not have this once: {change.old}"
    path.write_text(text.replace(change.old, change.new))
    os.utime(path, (number, number))
    try:
        yield
    finally:
        path.write_text(text)
        os.utime(path, (0, 0))


def examine(copies: Queue[Path], number: int, change: Change) -> str:
    """Return "" if the test notices the change, else what it has printed."""
    copy = copies.get()
    try:
        with changed(copy, change, number):
            outcome = run(copy, change.test)
    finally:
        copies.put(copy)
    return "" if outcome.returncode == FAILED else f"{outcome.stdout[-2000:]}{outcome.stderr[-2000:]}"


def report(number: int, change: Change, said: str) -> None:
    verdict = "NOT NOTICED by" if said else "noticed by"
    print(f"{number:>3}. {change.guarantee}: {change.name}: {verdict}\n     {change.test}\n{said}", end="", flush=True)


def main(directory: Path) -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only changes with one of these words in their name or guarantee")
    words = parser.parse_args().words
    changes = [each for each in CHANGES if not words or any(word in f"{each.guarantee} {each.name}" for word in words)]
    began, survived = time.perf_counter(), 0
    copies: Queue[Path] = Queue()
    for lane in range(LANES):
        make_copy(directory / str(lane))
        copies.put(directory / str(lane))
    print(f"{len(changes)} changes. Their tests, without a change: ", end="", flush=True)
    whole = run(directory / "0", *sorted({change.test for change in changes}))
    print(whole.stdout.splitlines()[-1] if whole.stdout else whole.stderr, flush=True)
    if whole.returncode:
        return 1
    with ThreadPoolExecutor(LANES) as lanes:
        numbers = range(1, len(changes) + 1)
        try:
            outcomes = lanes.map(partial(examine, copies), numbers, changes)
            for number, change, said in zip(numbers, changes, outcomes, strict=True):
                report(number, change, said)
                survived += bool(said)
        except KeyboardInterrupt:
            lanes.shutdown(cancel_futures=True)
            raise
    print(f"{len(changes) - survived} of {len(changes)} are noticed, {time.perf_counter() - began:.0f} s.")
    return 1 if survived else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pindb-mutants-") as temporary:
        try:
            status: int | str = main(Path(temporary))
        except KeyboardInterrupt:
            status = "\nInterrupted: the copies are removed."
    sys.exit(status)
