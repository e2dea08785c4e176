"""`PinDbMiddleware`: connects Dramatiq's hooks with the other modules.

Dramatiq calls `before_*` in the order of the broker's list and `after_*` in reverse. If pindb is first in the list, the
unit of work is around the work of all other middleware for a message, even the messages that it enqueues, and
`TimeLimit` never interrupts pindb's hooks. Dramatiq swallows the errors of hooks and runs the actor all the same, so no
hook here relies on stopping it.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from dramatiq import Actor, Broker, Message, MessageProxy, Middleware, Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import GroupCallbacks, MiddlewareError
from dramatiq.results import Results

from pindb import PinDbConfigError, adapters
from pindb.adapters import unwrap, wrap
from pindb_dramatiq import decorators, groups, results
from pindb_dramatiq.publishing import guard, on_publish_end, on_publish_start
from pindb_dramatiq.unit_of_work import on_task_end, on_task_start

logger: Final = logging.getLogger("pindb.dramatiq")

notice: Final = guard.notice  # bound once: it runs for each message


class PinDbActorError(PinDbConfigError, MiddlewareError):
    """An option of an actor is wrong. Dramatiq does not swallow a `MiddlewareError`."""


class PinDbMiddleware(Middleware):
    """Carries the caller's pins to its actors. It must be first in the broker's list of middleware.

    `pindb_dramatiq.install(broker)` puts it there. With django-dramatiq, list it by name:

        DRAMATIQ_BROKER = {"MIDDLEWARE": ["pindb_dramatiq.PinDbMiddleware", ...]}
    """

    def __init__(self) -> None:
        self._neighbours: list[Middleware] = []
        logger.info("pindb carries pins with the messages of Dramatiq.")
        results.wrap_messages(self)

    @property
    def actor_options(self) -> set[str]:
        """The options of actors that pindb knows: `pindb_pinned` and `pindb_unpinned`."""
        return set(decorators.OPTIONS)

    def before_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:  # noqa: ARG002 - Dramatiq's signature
        try:
            decorators.apply_options(actor)
        except PinDbConfigError as error:
            raise PinDbActorError(error.problem, error.remedy) from error

    def after_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:  # noqa: ARG002
        self.wrap(broker)

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:  # noqa: ARG002
        self.wrap(broker)
        if not message.options.get("retries"):  # a run that has failed does not commit, and must not lose its retry
            notice(message.actor_name)
        on_publish_start(message, broker)

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:  # noqa: ARG002
        on_publish_end(message, broker)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        self.wrap(broker)
        _declare_probe(broker)
        problem = misplaced(broker)
        if problem:
            logger.warning("%s %s", *problem)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        on_task_start(message, broker)

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any | None = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        on_task_end(message)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        on_task_end(message)

    def wrap(self, broker: Broker) -> None:
        """Wrap what the `Results` and `GroupCallbacks` of `broker` use. They may be added at any time."""
        if broker.middleware == self._neighbours:
            return
        neighbours = list(broker.middleware)
        for middleware in neighbours:
            try:
                if isinstance(middleware, GroupCallbacks):
                    wrap(middleware, self, *groups.patches(middleware))
                elif isinstance(middleware, Results):
                    wrap(middleware.backend, self, *results.patches(middleware.backend))
            except Exception:  # the message itself can still carry pins
                logger.exception("pindb cannot carry pins with the results or groups of %r.", middleware)
        self._neighbours = neighbours

    def unwrap(self, broker: Broker) -> None:
        """Undo `wrap(broker)`."""
        for middleware in broker.middleware:
            if isinstance(middleware, GroupCallbacks):
                unwrap(middleware, self)
            elif isinstance(middleware, Results):
                unwrap(middleware.backend, self)
        self._neighbours = []
        results.unwrap_messages(self)


def _declare_probe(broker: Broker) -> None:
    """Have the broker of a worker know the task of `manage.py pindb_doctor --send`, which comes on any queue.

    To declare it as other actors are would make the worker consume one more queue.
    """
    nowhere = StubBroker(middleware=[])
    options = {"max_retries": 0, "store_results": True}
    broker.actors[adapters.PROBE] = Actor(
        adapters.probed, broker=nowhere, actor_name=adapters.PROBE, queue_name="default", priority=0, options=options
    )


def misplaced(broker: Broker) -> tuple[str, str] | None:
    """Return the problem with the place of `PinDbMiddleware` in a broker's list, and the remedy, or None."""
    listed = [middleware for middleware in broker.middleware if not _only_watches(middleware)]
    ours = [isinstance(middleware, PinDbMiddleware) for middleware in listed]
    remedy = (
        "Call pindb_dramatiq.install(broker) once all middleware is added, or list it first: "
        'with django-dramatiq, DRAMATIQ_BROKER = {"MIDDLEWARE": ["pindb_dramatiq.PinDbMiddleware", ...]}.'
    )
    if not any(ours):
        return (
            f"PinDbMiddleware is not among the middleware of {type(broker).__name__}: actors may read old data.",
            remedy,
        )
    if ours[0] and sum(ours) == 1:
        return None
    if ours[0]:
        return f"PinDbMiddleware is {sum(ours)} times among the middleware of {type(broker).__name__}.", remedy
    first = type(listed[0])
    problem = (
        f"{first.__module__}.{first.__qualname__} comes before PinDbMiddleware in the middleware of "
        f"{type(broker).__name__}: messages that it enqueues do not carry the pins of their actor."
    )
    return problem, remedy


def _only_watches(middleware: Middleware) -> bool:
    """Return whether `middleware` may come before ours: Sentry's puts itself first whenever a broker is made.

    It enqueues nothing and queries nothing.
    """
    return type(middleware).__module__.startswith("sentry_sdk.")
