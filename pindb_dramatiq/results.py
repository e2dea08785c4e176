"""Carries pins with results: the caller that gets a result reads, from then on, its actor's writes.

The backend stores the pins as a result of their own, of a message that was never sent: workers and callers without
pindb find the results unchanged. It stores the pins first, so a caller that finds the result finds its pins.

pindb wraps the methods of a broker's backend object, because callers may ask it directly. It also wraps
`Message.get_result`: in a process that has never sent anything, it may ask another object for the same server.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, Final
from weakref import WeakSet

from dramatiq import Message, get_broker
from dramatiq.results import ResultBackend, ResultFailure, ResultMissing

from pindb import adapters
from pindb.adapters import Patch, is_wrapped
from pindb_dramatiq import unit_of_work

logger: Final = logging.getLogger("pindb.dramatiq")

SIBLING: Final = "-pindb"
"""Suffix of the id of the message that was never sent: its result is the pins of another message's result."""

takers: Final[WeakSet[object]] = WeakSet()
"""The `PinDbMiddleware` objects that are alive: as long as there is one, `Message.get_result` takes pins."""


def wrap_messages(middleware: object) -> None:
    """Make `Message.get_result` take pins through unwrapped backends, too, for as long as `middleware` needs it."""
    takers.add(middleware)
    MESSAGE_PATCH.apply()


def unwrap_messages(middleware: object) -> None:
    """Undo `wrap_messages(middleware)`. The patch stays: without takers it only calls the original."""
    takers.discard(middleware)


def _message_get_result(original: Any) -> Any:
    def get_result(message: Any, *, backend: Any = None, **options: Any) -> Any:
        if backend is None:
            backend = get_broker().get_results_backend()
        if not takers or is_wrapped(backend):
            return original(message, backend=backend, **options)
        return _taking(functools.partial(original, backend=backend), backend.get_result)(message, **options)

    return get_result


MESSAGE_PATCH: Final = Patch(Message, "get_result", _message_get_result)


def patches(backend: ResultBackend) -> tuple[Patch, ...]:
    """Return the patches that make `backend` store pins beside results, and take them."""
    store_pins, get_pins = backend.store_result, backend.get_result

    def storing(store: Any) -> Any:
        def stored(message: Any, *args: Any, **options: Any) -> Any:  # a result or an exception, and its TTL
            try:
                pins = unit_of_work.outcome(message)
                if pins is not None:
                    store_pins(_sibling(message), pins, options["ttl"] if "ttl" in options else args[1])
            except Exception:
                logger.exception("pindb could not store the pins of a result: its caller reads masters.")
            return store(message, *args, **options)

        return stored

    return (
        Patch(backend, "store_result", storing),
        Patch(backend, "store_exception", storing),
        Patch(backend, "get_result", functools.partial(_taking, get_pins=get_pins)),
    )


def _taking(get_result: Any, get_pins: Any) -> Any:
    """Return `get_result`, a function of a message, which then takes the pins beside the result, too."""

    def taking(message: Any, *args: Any, **options: Any) -> Any:
        if message.message_id.endswith(SIBLING):
            return get_result(message, *args, **options)  # a backend that asks another one for pindb's own record
        try:
            result = get_result(message, *args, **options)
        except ResultFailure:  # the actor may have written before it failed
            _take(message, get_pins)
            raise
        _take(message, get_pins)
        return result

    return taking


def _take(message: Any, get_pins: Any) -> None:
    if not unit_of_work.enabled():  # disabled, this would be a useless round trip
        return
    pins = None
    try:
        pins = get_pins(_sibling(message))
    except ResultMissing:
        pass  # a worker without pindb stored the result, or one outside the message's unit of work
    except Exception:
        logger.exception("pindb could not get the pins of a result: the code that got it reads masters.")
    adapters.take(pins)


def _sibling(message: Any) -> Any:
    return message.copy(message_id=message.message_id + SIBLING)
