"""What brokers share is wrapped once, for the first of them, and unwrapped when the last one has let go of it."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any, Final
from weakref import WeakSet

HOLDERS: Final = "pindb_holders"
"""Attribute of a backend or a middleware: for whom it is wrapped. A middleware that is gone holds nothing."""

wrapping: Final = Lock()
"""Held by whoever wraps: else two threads that send or take results at once could both wrap a backend."""


def hold(shared: Any, holder: object) -> bool:
    """Note that `holder` needs `shared` wrapped; return whether it has yet to be."""
    first = HOLDERS not in vars(shared)
    vars(shared).setdefault(HOLDERS, WeakSet()).add(holder)
    return first


def held(shared: Any) -> Mapping[str, Any]:
    """Return the attributes of what is wrapped, wrappers among them; nothing of what is not."""
    attributes: Mapping[str, Any] = getattr(shared, "__dict__", {})
    return attributes if HOLDERS in attributes else {}


def let_go(shared: Any, holder: object) -> bool:
    """Note that `holder` needs `shared` wrapped no longer; return whether it is to be unwrapped."""
    holders = getattr(shared, "__dict__", {}).get(HOLDERS)
    if holders is None:
        return False
    holders.discard(holder)
    if holders:
        return False
    del vars(shared)[HOLDERS]
    return True
