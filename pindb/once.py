"""`Once`: what is logged once in a process, because the next request or message would only repeat it."""

from __future__ import annotations

from typing import Final

MOST: Final = 100
"""So many things are said in one place. Their names may come from outside: they must fill neither memory nor log."""


class Once:
    """What one place in the code has said.

    if said.first_time(name):
        logger.warning("%s is unknown. Logged once per process.", name)
    """

    def __init__(self) -> None:
        self._said: Final[dict[object, object]] = {}

    def first_time(self, key: object) -> bool:
        """Return whether to say it: True at the first call with `key`, unless `MOST` others came before it.

        `dict.setdefault` is one step for all threads. A lock could stay locked in a forked child.
        """
        mine = object()
        return len(self._said) < MOST and self._said.setdefault(key, mine) is mine

    def clear(self) -> None:
        """Forget what was said, as at the start of a process."""
        self._said.clear()
