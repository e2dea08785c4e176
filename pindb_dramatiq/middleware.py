"""`PinDbMiddleware`: what happens at Dramatiq's hooks.

Dramatiq calls `before_*` in the order of the broker's list and `after_*` in reverse: first in it, the unit of work is
around all that other middleware does for a message, the messages that it enqueues included, and outside the span in
which `TimeLimit` interrupts. Dramatiq swallows what a hook raises and runs the actor all the same; so nothing here
relies on being able to stop it.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from dramatiq import Actor, Broker, Message, MessageProxy, Middleware, Worker
from dramatiq.middleware import GroupCallbacks, MiddlewareError
from dramatiq.results import Results

from pindb import PinDbConfigError
from pindb_dramatiq import composition, decorators, publishing, results, sharing, transactions, window

logger: Final = logging.getLogger("pindb.dramatiq")

notice: Final = transactions.guard.notice


class PinDbActorError(PinDbConfigError, MiddlewareError):
    """An actor's option is wrong: an error that Dramatiq does not swallow."""


class PinDbMiddleware(Middleware):
    """Carries the caller's pins to its actors. Must be first: `pindb_dramatiq.install(broker)` puts it there.

    Or by name, with django-dramatiq: `"MIDDLEWARE": ["pindb_dramatiq.PinDbMiddleware", ...]`.
    """

    def __init__(self) -> None:
        self._neighbours: list[Middleware] = []
        results.take_everywhere(self)

    @property
    def actor_options(self) -> set[str]:
        """`pindb_pinned` and `pindb_unpinned`: as `@pinned` and `@unpinned`."""
        return set(decorators.OPTIONS)

    def before_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:  # noqa: ARG002 - Dramatiq's signature
        try:
            decorators.apply_options(actor)
        except PinDbConfigError as error:
            raise PinDbActorError(str(error)) from error

    def after_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:  # noqa: ARG002
        self.attend(broker)

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:  # noqa: ARG002
        self.attend(broker)
        notice(message.actor_name)
        publishing.begins(message, broker)

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:  # noqa: ARG002
        publishing.ends(message, broker)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        self.attend(broker)
        complaint = misplaced(broker)
        if complaint:
            logger.warning("%s %s", *complaint)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        window.opens(message, broker)

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any | None = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        window.closes(message)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        window.closes(message)

    def attend(self, broker: Broker) -> None:
        """Follow results and groups through the other middleware of `broker`, which may be added at any time."""
        if broker.middleware == self._neighbours:
            return
        with sharing.wrapping:
            for middleware in broker.middleware:
                try:
                    if isinstance(middleware, GroupCallbacks):
                        composition.gather(middleware, self)
                    elif isinstance(middleware, Results):
                        results.carry(middleware.backend, self)
                except Exception:  # no reason for a message to go without pins
                    logger.exception("pindb cannot follow results or groups through %r.", middleware)
            self._neighbours = list(broker.middleware)

    def leave(self, broker: Broker) -> None:
        """Undo `attend(broker)`."""
        for middleware in broker.middleware:
            if isinstance(middleware, GroupCallbacks):
                composition.ungather(middleware, self)
            elif isinstance(middleware, Results):
                results.uncarry(middleware.backend, self)
        self._neighbours = []
        results.takers.discard(self)


def misplaced(broker: Broker) -> tuple[str, str] | None:
    """Return what is wrong with the place of `PinDbMiddleware` in a broker's list, and what to write; None if right."""
    ours = [isinstance(middleware, PinDbMiddleware) for middleware in broker.middleware]
    write = (
        "Call pindb_dramatiq.install(broker) once all middleware is added, or list it first: "
        'with django-dramatiq, DRAMATIQ_BROKER = {"MIDDLEWARE": ["pindb_dramatiq.PinDbMiddleware", ...]}.'
    )
    if not any(ours):
        return (
            f"PinDbMiddleware is not among the middleware of {type(broker).__name__}: actors may read old data.",
            write,
        )
    if ours[0] and sum(ours) == 1:
        return None
    if ours[0]:
        return f"PinDbMiddleware is {sum(ours)} times among the middleware of {type(broker).__name__}.", write
    first = type(broker.middleware[0])
    complaint = (
        f"{first.__module__}.{first.__qualname__} comes before PinDbMiddleware in the middleware of "
        f"{type(broker).__name__}: the messages that it enqueues, say, do not carry what their actor wrote."
    )
    return complaint, write
