"""Exceptions that a task queue raises into running code, such as Celery's SoftTimeLimitExceeded.

pindb must never swallow them. So each `except Exception` that protects a task from an error of pindb, or of a server,
lets these types through.
"""

from __future__ import annotations

types: tuple[type[Exception], ...] = ()


def add(kind: type[Exception]) -> None:
    """Let exceptions of this kind through from now on. Calling it twice changes nothing."""
    global types
    if kind not in types:
        types = (*types, kind)
