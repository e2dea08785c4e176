"""Waiting for a condition, with a deadline that raises: the one place in this package that sleeps."""

import time
from collections.abc import Callable

PAUSE = 0.01


def wait_until(condition: Callable[[], object], timeout: float, what: str | Callable[[], str]) -> None:
    """Return as soon as ``condition()`` is true; raise TimeoutError, saying ``what`` was awaited, at the deadline.

    ``what`` may be a callable, asked only at the deadline, for a message that tells how things stood then.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            raise TimeoutError(f"not within {timeout:g} s: {what() if callable(what) else what}")
        time.sleep(PAUSE)
