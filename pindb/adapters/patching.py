"""How an adapter wraps a method or an attribute of its task queue, and unwraps it again.

A patch wraps the value that it finds, so patches of other libraries stay.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from threading import Lock
from typing import Any, Final, NamedTuple
from weakref import WeakSet


class Patch:
    """One attribute of a class, a module or an object, replaced by `decorator(attribute)`."""

    def __init__(self, owner: Any, name: str, decorator: Callable[[Any], Any]) -> None:
        self.owner: Final = owner
        self.name: Final = name
        self.decorator: Final = decorator
        self._before: Any = None

    def apply(self) -> None:
        """Replace the attribute; twice is once. Raises `AttributeError` if the owner does not have it."""
        if self._before is not None:
            return
        original = getattr(self.owner, self.name)
        patched = self.decorator(original)
        if callable(original):
            functools.update_wrapper(patched, original)
        # The owner's own attribute, if it has one. If not, `undo` deletes ours, and the inherited one shows again.
        self._before = (vars(self.owner).get(self.name), patched)
        setattr(self.owner, self.name, patched)

    def undo(self) -> None:
        """Restore the attribute. If another library has patched it since, the patch stays: it does no harm."""
        if self._before is None:
            return
        before, patched = self._before
        if vars(self.owner).get(self.name) is not patched:
            return
        if before is None:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, before)
        self._before = None


class Wrapping(NamedTuple):
    """The patches of an object, and the holders that need them. A holder that is gone needs nothing."""

    holders: WeakSet[object]
    patches: tuple[Patch, ...]


WRAPPING: Final = "pindb_wrapping"
"""Attribute of a wrapped object: its `Wrapping`."""

_lock: Final = Lock()
"""Two threads that send messages or take results at once must not both wrap an object."""


def wrap(shared: Any, holder: object, *patches: Patch) -> None:
    """Apply `patches` to `shared`, an object that several holders use, for the first of them; twice is once."""
    with _lock:
        wrapping = vars(shared).setdefault(WRAPPING, Wrapping(WeakSet(), patches))
        wrapping.holders.add(holder)
        for patch in wrapping.patches:
            patch.apply()


def unwrap(shared: Any, holder: object) -> None:
    """Undo `wrap(shared, holder, ...)`; the patches go with the last holder."""
    with _lock:
        wrapping: Wrapping | None = getattr(shared, "__dict__", {}).get(WRAPPING)
        if wrapping is None:
            return
        wrapping.holders.discard(holder)
        if not wrapping.holders:
            for patch in wrapping.patches:
                patch.undo()
            del vars(shared)[WRAPPING]


def is_wrapped(shared: Any) -> bool:
    """Return whether `shared` is wrapped for a holder."""
    return WRAPPING in getattr(shared, "__dict__", {})
