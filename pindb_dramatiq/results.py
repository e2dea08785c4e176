"""Results: who takes a result reads, from then on, what its actor wrote.

The pins are stored as a result of their own, of a message that was never sent: a worker or a caller without pindb finds
the results as they always were. It is stored first, so whoever finds the result finds its pins.

The methods of the backend object itself are wrapped, because it may be asked directly. `Message.get_result` is as well:
it may be given another object for the same server, in a process that has never sent anything.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from typing import Any, Final
from weakref import WeakSet

from dramatiq import Message, get_broker
from dramatiq.results import ResultBackend, ResultFailure, ResultMissing

from pindb import propagation
from pindb_dramatiq import sharing, window

logger: Final = logging.getLogger("pindb.dramatiq")

WRAPPED: Final = ("store_result", "store_exception", "get_result")


class Everywhere:
    """Carries backends that belong to no broker with pindb here, as long as there is any such broker.

    `because_of` are these brokers' middleware; `left` the backends of brokers that pindb was taken out of.
    """

    def __init__(self) -> None:
        self.because_of: Final[WeakSet[object]] = WeakSet()
        self.carried: Final[WeakSet[ResultBackend]] = WeakSet()
        self.left: Final[WeakSet[ResultBackend]] = WeakSet()
        self._patched = False

    def begin(self, middleware: object) -> None:
        """Follow what is taken by `Message.get_result` because of `middleware`."""
        self.because_of.add(middleware)
        if not self._patched:
            self._patched = True
            Message.get_result = self._following(Message.get_result)  # type: ignore[method-assign]

    def end(self, middleware: object) -> None:
        """Undo `begin(middleware)`."""
        self.because_of.discard(middleware)
        if not self.because_of:
            for backend in self.carried:
                uncarry(backend, self)
            self.carried.clear()

    def leave(self, backend: ResultBackend) -> None:
        """Leave a backend alone from now on whose broker pindb is taken out of."""
        uncarry(backend, self)
        with contextlib.suppress(TypeError):  # one that is no key for a weak set is not carried anyway
            self.left.add(backend)

    def _following(self, original: Any) -> Any:
        @functools.wraps(original)
        def get_result(message: Any, *, backend: Any = None, **options: Any) -> Any:
            if self.because_of:
                try:
                    backend = backend or get_broker().get_results_backend()
                    if backend not in self.carried and backend not in self.left:
                        with sharing.wrapping:
                            carry(backend, self)
                            self.carried.add(backend)
                except Exception:  # there is none, as the original will say, or one that cannot be wrapped
                    logger.debug("pindb cannot follow results through %r.", backend, exc_info=True)
            return original(message, backend=backend, **options)

        return get_result


everywhere: Final = Everywhere()


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

    def pins_of(message: Any) -> object:
        try:
            return get_result(_sibling(message))
        except ResultMissing:
            return None  # stored by a worker without pindb, or outside the message's unit of work
        except Exception:
            logger.exception("pindb could not get the pins of a result: what follows reads masters.")
            return None

    @functools.wraps(get_result)
    def taking(message: Any, *args: Any, **options: Any) -> Any:
        try:
            result = get_result(message, *args, **options)
        except ResultFailure:  # it may have written before it failed
            _take(message, pins_of)
            raise
        _take(message, pins_of)
        return result

    wrappers = (storing(store_result), storing(backend.store_exception), taking)
    vars(backend).update(zip(WRAPPED, wrappers, strict=True))


def uncarry(backend: ResultBackend, holder: object) -> None:
    """Undo `carry(backend, holder)`."""
    if sharing.let_go(backend, holder):
        for name in WRAPPED:
            vars(backend).pop(name, None)


def _take(message: Any, pins_of: Any) -> None:
    if window.enabled():  # else it would be a round trip for nothing
        propagation.take(pins_of(message))


def _sibling(message: Any) -> Any:
    return message.copy(message_id=f"{message.message_id}-pindb")
