"""The line of the application's own code that led to something in pindb: for warnings, and for `pindb.explain()`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

LIBRARIES: Final = frozenset({"pindb", "django", "asgiref", "contextlib", "functools", "threading", "concurrent"})
"""Packages and modules whose lines are never the application's own."""


def calling_line(libraries: frozenset[str] = LIBRARIES) -> str:
    """Return "file:line" of the innermost running call outside `libraries`; "" if this thread runs none."""
    frame = sys._getframe(1)
    while str(frame.f_globals.get("__name__", "")).partition(".")[0] in libraries:
        if frame.f_back is None:
            return ""
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def short_line(line: str) -> str:
    """Return a line with its path from the working directory, if the file lies below."""
    try:
        return line.removeprefix(f"{Path.cwd()}{os.sep}")
    except FileNotFoundError:  # a deploy has removed the directory that this process was started in
        return line
