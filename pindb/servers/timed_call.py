"""Runs what may hang in a thread of its own, so that whoever needs it can stop waiting.

The drivers' own timeouts do not bound it: libpq takes no less than two seconds for each address of a host, resolving
the host's name is not counted, and a stopped server accepts connections that it never answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

R = TypeVar("R")


class Attempt(Generic[R]):
    """One call of `function` in a daemon thread, which ends with it. Raises `RuntimeError` if no thread can start.

    `then` is called in that thread with this object when all is over, whether or not somebody still waits.
    """

    def __init__(self, function: Callable[[], R], then: Callable[[Attempt[R]], None]) -> None:
        self.result: R | None = None
        self.error: Exception | None = None
        self._function = function
        self._then = then
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._settled = False
        threading.Thread(target=self._run, name="pindb", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Return whether it is over after at most `seconds`."""
        return self._over.wait(seconds)

    def settle(self) -> bool:
        """Return True to the first who asks: of the waiter that gives up and the thread that ends, one has the say."""
        with self._lock:
            first, self._settled = not self._settled, True
        return first

    def _run(self) -> None:
        try:
            self.result = self._function()
        except Exception as error:
            self.error = error
        try:
            self._then(self)
        finally:
            self._over.set()
