"""`python -m tests.typed WHEEL`: checks a user's project with mypy --strict and pyright against the installed wheel.

The project's `mistakes.py` is the negative control: each of its lines is an error which the checkers must find.
Exit status 0: both have found these and nothing else. Where pyright cannot be had, a loud line says so.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PROJECT = Path(__file__).parent / "project"
CHECKERS = ("mypy", "django-stubs", "celery-types")
PYRIGHT = "pyright[nodejs]"
TIMEOUT = 300


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=TIMEOUT)


def report(name: str, done: subprocess.CompletedProcess[str]) -> bool:
    print(
        f"{'ok      ' if done.returncode == 0 else 'FAILED  '}{name}: {(done.stdout + done.stderr).strip()}", flush=True
    )
    return done.returncode == 0


def main(wheel: str) -> int:
    """Check the project; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="pindb-typed-") as directory:
        environment, project = Path(directory, "environment"), Path(directory, "project")
        shutil.copytree(PROJECT, project)
        venv.create(environment, with_pip=False)
        programs = environment / "bin"
        pip = (sys.executable, "-m", "pip", "--python", programs / "python", "--quiet", "--disable-pip-version-check")
        pindb = f"{Path(wheel).resolve(strict=True)}[celery,dramatiq,pytest]"
        done = run(*pip, "install", pindb, *CHECKERS, cwd=project)
        if done.returncode:
            return not report("the environment", done)
        passed = [report("mypy --strict, django-stubs", run(programs / "python", "-m", "mypy", cwd=project))]
        # Its package brings no program: it asks npm's registry for one.
        ready = run(*pip, "install", PYRIGHT, cwd=project)
        if ready.returncode == 0:
            ready = run(programs / "pyright", "--version", cwd=project)
        if ready.returncode == 0:
            python = ("--pythonpath", programs / "python")
            passed.append(report("pyright", run(programs / "pyright", *python, cwd=project)))
        else:
            print(f"!!! PYRIGHT WAS NOT RUN: it cannot be had here.\n{ready.stdout}{ready.stderr}", flush=True)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
