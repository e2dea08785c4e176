"""How Celery is patched where it has no signal or hook for what has to be done (looked for in 5.5 to 5.7).

- The result of a task goes to its caller without a word to anybody: `results.py`.
- A chord's body is published by whoever finishes last, who knows nothing of the others: `results.py`.
- A worker's main process publishes the errbacks of a killed child: `lost.py`.
- A task that succeeded before is not run again, but what follows it may be published again: `window.py`.
- Beat has no signal for what it publishes: `beat.py`.
- A signal cannot refuse a publish, its receivers' exceptions are swallowed: `publishing.py`.

Each goes as soon as Celery offers a way of its own. A patch wraps what it finds, so those of other libraries stay.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import celery

from pindb import PinDbConfigError

Method = Callable[..., Any]


class Patch:
    """One method of a class of Celery, or one name in a module, decorated."""

    def __init__(self, owner: type | ModuleType, name: str, decorator: Callable[[Method], Method]) -> None:
        self.owner: Final = owner
        self.name: Final = name
        self.decorator: Final = decorator
        self._before: Any = None

    def apply(self) -> None:
        """Decorate it; twice is once. Raises `PinDbConfigError` where this Celery does not have it."""
        if self._before is not None:
            return
        original = getattr(self.owner, self.name, None)
        if original is None:
            raise PinDbConfigError(
                f"Celery {celery.__version__} has no {self.owner.__name__}.{self.name}, where pins were to be carried. "
                "This pindb knows Celery 5.5 to 5.7. Upgrade pindb, or: pip install 'celery<5.8'."
            )
        patched = functools.wraps(original)(self.decorator(original))
        # What the owner itself has, if anything: else the attribute goes again, and the inherited one shows.
        self._before = (self.owner.__dict__.get(self.name), patched)
        setattr(self.owner, self.name, patched)

    def undo(self) -> None:
        """Put back what was there; a patch that somebody has patched since stays, and does no harm."""
        if self._before is None:
            return
        before, patched = self._before
        if self.owner.__dict__.get(self.name) is not patched:
            return
        if before is None:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, before)
        self._before = None
