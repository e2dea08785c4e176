"""The line of the application's own code that led to something in pindb: for warnings, and for `pindb.explain()`."""

from __future__ import annotations

import asyncio
import os
import sys
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, Final

LIBRARIES: Final = frozenset(
    {"pindb", "django", "debug_toolbar", "asgiref", "contextlib", "functools", "threading", "concurrent"}
)
"""Packages and modules whose lines are never the application's own."""


awaiting: Final[ContextVar[asyncio.Task[Any] | None]] = ContextVar("pindb_awaiting", default=None)
"""The task whose code awaits what a thread of `sync_to_async` does: the thread runs no line of the application."""


WSGI: Final = "django.core.handlers.wsgi"
"""Calls outside this module are those of the web server."""


def calling_line(libraries: frozenset[str] = LIBRARIES) -> str:
    """Return "file:line" of the innermost running call outside `libraries`.

    If this thread runs none it is the line that the task in `awaiting` waits at; "" without one.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != WSGI:
        if _is_outside(frame, libraries):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return _awaiting_line(libraries)


def running_task() -> asyncio.Task[Any] | None:
    """Return the asyncio task that is running, if there is one."""
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        return None


def _awaiting_line(libraries: frozenset[str]) -> str:
    task, line = awaiting.get(), ""
    awaited: Any = None if task is None else task.get_coro()
    while (frame := getattr(awaited, "cr_frame", None)) is not None:
        if _is_outside(frame, libraries):
            line = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        awaited = awaited.cr_await
    return line


def _is_outside(frame: FrameType, libraries: frozenset[str]) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] not in libraries


def short_line(line: str) -> str:
    """Return a line with its path from the working directory, if the file lies below."""
    try:
        return line.removeprefix(f"{Path.cwd()}{os.sep}")
    except FileNotFoundError:  # a deploy has removed the directory that this process was started in
        return line
