"""Runs a blocking call in a daemon thread, so that the caller can give up after a timeout.

The timeouts of the drivers are not enough. libpq waits at least two seconds for each address of a host, does not count
the resolving of the host's name, and a stopped server accepts connections that it never answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from pindb.exceptions import first_line

R = TypeVar("R")


class TimedCall(Generic[R]):
    """One call of `function` in a daemon thread. Raises `RuntimeError` if no thread can start.

    `on_done` is called in that thread with this object at the end, whether or not a caller still waits.
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
        """Wait for at most `seconds`; return whether the call has ended."""
        return self._over.wait(seconds)

    def claim(self) -> bool:
        """Return True to the first caller only: either the waiter that gives up or the thread that ends decides."""
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


def ask_all(questions: Mapping[str, Callable[[], R]], seconds: float) -> dict[str, R | str]:
    """Call all `questions` at the same time; return by name what each returned, or why it did not within `seconds`.

    None of them may return a text. Never raises.
    """
    timed_calls: dict[str, TimedCall[R]] = {}
    answers: dict[str, R | str] = {}
    for name, question in questions.items():
        try:
            timed_calls[name] = TimedCall(question, lambda _: None)
        except RuntimeError as error:  # no thread can be started
            answers[name] = first_line(error)
    deadline = time.monotonic() + seconds
    for name, timed_call in timed_calls.items():
        if not timed_call.wait(max(0.0, deadline - time.monotonic())):
            answers[name] = f"no answer within {seconds:g} s"
        elif timed_call.error is not None:
            answers[name] = first_line(timed_call.error)
        else:
            answers[name] = timed_call.result  # type: ignore[assignment]
    return {name: answers[name] for name in questions}
