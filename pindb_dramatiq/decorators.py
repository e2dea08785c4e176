"""`@pinned` and `@unpinned` for actors: below `@dramatiq.actor` (as for any function) and above it, on the actor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dramatiq import Actor

import pindb


class pinned(pindb.pinned):  # noqa: N801 - read as a function
    """Pins DB sets, then runs the actor: for one that must not decide on a replica's old data."""

    def __call__(self, target: Any) -> Any:
        """Return `target`, an actor or a function, so that it pins before it runs."""
        return decorated(super().__call__, target)


class unpinned(pindb.unpinned_replica):  # noqa: N801 - read as a function
    """Runs the actor on replicas despite its caller's pins: for one that may read old data; its writes still pin."""

    def __call__(self, target: Any) -> Any:
        """Return `target`, an actor or a function, so that it runs on replicas."""
        return decorated(super().__call__, target)


def decorated(decorate: Callable[[Any], Any], target: Any) -> Any:
    """Return `target`, an actor or a function, decorated."""
    actor = getattr(target, "__actor__", target)  # a GenericActor is a class that stands for its actor
    if not isinstance(actor, Actor):
        return decorate(target)
    # Workers and direct calls both go through the actor's `fn`; that of an async actor waits for its coroutine.
    actor.fn = decorate(actor.fn)
    return target


OPTIONS = {"pindb_pinned": pinned, "pindb_unpinned": unpinned}
"""The same as options of `@dramatiq.actor`, for a list of aliases or one."""


def apply_options(actor: Actor[Any, Any]) -> None:
    """Decorate an actor as its options say. Raises `PinDbConfigError` for an alias that does not exist."""
    for option, decorator in OPTIONS.items():
        aliases = actor.options.get(option)
        if aliases is not None:
            decorator(*(aliases if isinstance(aliases, (list, tuple, set, frozenset)) else [aliases]))(actor)
