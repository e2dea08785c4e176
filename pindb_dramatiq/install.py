"""Puts `PinDbMiddleware` first into a broker's list, and takes it out again."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker

from pindb import PinDbConfigError
from pindb_dramatiq.middleware import PinDbMiddleware


def install(broker: Broker) -> None:
    """Carry pins into and out of the actors of `broker`; twice is once. Raises `PinDbConfigError` for anything else.

    Wherever a `PinDbMiddleware` is in its list, afterwards there is one, and it is the first.
    """
    ours = _ours(_checked(broker, "install"))
    for middleware in ours:
        broker.middleware.remove(middleware)
    if ours:
        broker.middleware.insert(0, ours[0])
    elif broker.middleware:
        broker.add_middleware(PinDbMiddleware(), before=type(broker.middleware[0]))
    else:
        broker.add_middleware(PinDbMiddleware())
    _ours(broker)[0].attend(broker)


def uninstall(broker: Broker) -> None:
    """Undo `install(broker)`; nothing happens where it was not installed."""
    for middleware in _ours(_checked(broker, "uninstall")):
        middleware.leave(broker)
        broker.middleware.remove(middleware)


def _ours(broker: Broker) -> list[PinDbMiddleware]:
    return [middleware for middleware in broker.middleware if isinstance(middleware, PinDbMiddleware)]


def _checked(broker: Any, name: str) -> Broker:
    if not isinstance(broker, Broker):
        raise PinDbConfigError(f"pindb_dramatiq.{name}() got {broker!r}. Give it the broker: {name}(broker).")
    return broker
