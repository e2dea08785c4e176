"""Runs what may hang in a thread of its own, so that whoever needs it can stop waiting.

The drivers' own timeouts do not bound it: libpq takes no less than two seconds for each address of a host, resolving
the host's name is not counted, and a stopped server accepts connections that it never answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

R = TypeVar("R")


class TimedCall(Generic[R]):
    """One call of `function` in a daemon thread, which ends with it. Raises `RuntimeError` if no thread can start.

    `on_done` is called in that thread with this object when all is over, whether or not somebody still waits.
    """

    def __init__(self, function: Callable[[], R], on_done: Callable[[TimedCall[R]], None]) -> None:
        self.result: R | None = None
        self.error: Exception | None = None
        self._function = function
        self._on_done = on_done
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._claimed = False
        threading.Thread(target=self._run, name="pindb", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Return whether it is over after at most `seconds`."""
        return self._over.wait(seconds)

    def claim(self) -> bool:
        """Return True to the first who asks: of the waiter that gives up and the thread that ends, one has the say."""
        with self._lock:
            first, self._claimed = not self._claimed, True
        return first

    def _run(self) -> None:
        try:
            self.result = self._function()
        except Exception as error:
            self.error = error
        try:
            self._on_done(self)
        finally:
            self._over.set()
