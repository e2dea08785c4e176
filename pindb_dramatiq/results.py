"""Results: who takes a result reads, from then on, what its actor wrote.

The pins are stored as a result of their own, of a message that was never sent: a worker or a caller without pindb finds
the results as they always were. It is stored first, so whoever finds the result finds its pins.

The methods of a broker's backend object are wrapped, because it may be asked directly; and `Message.get_result`, for it
may ask another object for the same server, in a process that has never sent anything.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, Final
from weakref import WeakSet

from dramatiq import Message, get_broker
from dramatiq.results import ResultBackend, ResultFailure, ResultMissing

from pindb import propagation
from pindb_dramatiq import sharing, window

logger: Final = logging.getLogger("pindb.dramatiq")

SIBLING: Final = "-pindb"
"""What the id of a message ends with that was never sent, whose result are the pins of another one's."""

WRAPPED: Final = ("store_result", "store_exception", "get_result")


takers: Final[WeakSet[object]] = WeakSet()
"""The middleware because of which results bring pins, whatever object for their backend is asked."""

_taken_everywhere = False


def take_everywhere(middleware: object) -> None:
    """Have `Message.get_result` bring pins through backends that are not wrapped as well, because of `middleware`."""
    global _taken_everywhere
    takers.add(middleware)
    if _taken_everywhere:
        return
    _taken_everywhere = True
    original: Any = Message.get_result

    @functools.wraps(original)
    def get_result(message: Any, *, backend: Any = None, **options: Any) -> Any:
        if backend is None:
            backend = get_broker().get_results_backend()
        if not takers or "get_result" in sharing.held(backend):
            return original(message, backend=backend, **options)
        return _taking(functools.partial(original, backend=backend), backend.get_result)(message, **options)

    Message.get_result = get_result  # type: ignore[method-assign,assignment]


def carry(backend: ResultBackend, holder: object) -> None:
    """Make `backend` carry pins for `holder`; twice is once."""
    if not sharing.hold(backend, holder):
        return
    store_result, get_result = backend.store_result, backend.get_result

    def storing(store: Any) -> Any:
        @functools.wraps(store)
        def stored(message: Any, result: Any, ttl: int) -> Any:
            try:
                pins = window.outcome(message)
                if pins is not None:
                    store_result(_sibling(message), pins, ttl)
            except Exception:
                logger.exception("pindb could not store the pins of a result: who takes it reads masters.")
            return store(message, result, ttl)

        return stored

    wrappers = (storing(store_result), storing(backend.store_exception), _taking(get_result, get_result))
    vars(backend).update(zip(WRAPPED, wrappers, strict=True))


def uncarry(backend: ResultBackend, holder: object) -> None:
    """Undo `carry(backend, holder)`."""
    if sharing.let_go(backend, holder):
        for name in WRAPPED:
            vars(backend).pop(name, None)


def _taking(get_result: Any, get_pins: Any) -> Any:
    """Return `get_result`, a function of a message, that takes the pins beside the result, too."""

    @functools.wraps(get_result)
    def taking(message: Any, *args: Any, **options: Any) -> Any:
        if message.message_id.endswith(SIBLING):
            return get_result(message, *args, **options)  # a backend that asks another one, for what is pindb's own
        try:
            result = get_result(message, *args, **options)
        except ResultFailure:  # it may have written before it failed
            _take(message, get_pins)
            raise
        _take(message, get_pins)
        return result

    return taking


def _take(message: Any, get_pins: Any) -> None:
    if not window.enabled():  # it would be a round trip for nothing
        return
    pins = None
    try:
        pins = get_pins(_sibling(message))
    except ResultMissing:
        pass  # stored by a worker without pindb, or outside the message's unit of work
    except Exception:
        logger.exception("pindb could not get the pins of a result: what follows reads masters.")
    propagation.take(pins)


def _sibling(message: Any) -> Any:
    return message.copy(message_id=message.message_id + SIBLING)
