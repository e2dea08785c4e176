"""What ends running code from outside: Celery's soft time limit is an `Exception`, raised wherever the code is.

An `except Exception` that is there lest a server or a message of ours fails somebody's task lets these through.
"""

from __future__ import annotations

types: tuple[type[Exception], ...] = ()


def add(kind: type[Exception]) -> None:
    """Let errors of this kind through from now on; twice is once."""
    global types
    if kind not in types:
        types = (*types, kind)
