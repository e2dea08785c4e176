"""Puts `PinDbMiddleware` first into a broker's list of middleware, and removes it again."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker

from pindb import PinDbConfigError
from pindb_dramatiq.middleware import PinDbMiddleware


def install(broker: Broker) -> None:
    """Carry pins into and out of the actors of `broker`; twice is once.

        broker = RedisBroker()
        pindb_dramatiq.install(broker)

    Afterwards the broker's list has one `PinDbMiddleware`, and it is the first, wherever one was before. Raises
    `PinDbConfigError` for anything but a broker.
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
    _ours(broker)[0].wrap(broker)


def uninstall(broker: Broker) -> None:
    """Undo `install(broker)`; nothing happens if pindb is not installed in `broker`.

    Raises `PinDbConfigError` for anything but a broker.
    """
    for middleware in _ours(_checked(broker, "uninstall")):
        middleware.unwrap(broker)
        broker.middleware.remove(middleware)


def _ours(broker: Broker) -> list[PinDbMiddleware]:
    return [middleware for middleware in broker.middleware if isinstance(middleware, PinDbMiddleware)]


def _checked(broker: Any, name: str) -> Broker:
    if not isinstance(broker, Broker):
        raise PinDbConfigError(f"pindb_dramatiq.{name}() got {broker!r}.", f"Give it the broker: {name}(broker).")
    return broker
