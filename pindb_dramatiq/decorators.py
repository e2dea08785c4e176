"""The decorators for actors: `@pinned`, `@unpinned` and `@caught_up`; the first two also as options.

Each goes right below `@dramatiq.actor`, as for any function, or right above it.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Self, TypeVar

from dramatiq import Actor, Broker, MessageProxy
from dramatiq.middleware import SkipMessage

import pindb
from pindb import adapters
from pindb_dramatiq import unit_of_work

Target = TypeVar("Target")
"""An actor, or a function: it comes back with its own type."""


class ForActors:
    """Mixed into a decorator for functions: makes it accept actors, too."""

    def __call__(self, target: Target) -> Target:
        """Return `target`, an actor or a function, so that the decorator holds whenever it runs."""
        actor = getattr(target, "__actor__", target)  # a GenericActor is a class that stands for its actor
        if not isinstance(actor, Actor):
            return super().__call__(target)  # type: ignore[misc,no-any-return]
        # Workers and direct calls both call the actor's `fn`; that of an async actor waits for its coroutine.
        actor.fn = super().__call__(actor.fn)  # type: ignore[misc]
        return target


class pinned(ForActors, pindb.pinned):  # noqa: N801 - read as a function
    """Pins DB sets, then runs the actor: for an actor that must not decide on a replica's old data.

        @dramatiq.actor
        @pindb_dramatiq.pinned("default")
        def charge(order_id): ...

    Raises `PinDbConfigError` for an alias that does not exist.
    """


class unpinned(ForActors, pindb.unpinned_replica):  # noqa: N801 - read as a function
    """Makes the actor read replicas despite its caller's pins: for one that may read old data. Its own writes pin.

        @dramatiq.actor
        @pindb_dramatiq.unpinned("default")
        def count_visitors(): ...

    Raises `PinDbConfigError` for an alias that does not exist.
    """


class caught_up(ForActors, adapters.CaughtUp):  # noqa: N801 - read as a function
    """Requeues the message until a replica has its sender's writes; after `timeout` seconds the actor reads the master.

        @dramatiq.actor
        @pindb_dramatiq.caught_up("default", timeout=30)
        def send_receipt(order_id): ...

    The message is enqueued again as it was, with a delay. This run is skipped, which acknowledges the old message, and
    counts and calls nothing. Raises `PinDbConfigError` for an alias that does not exist, and for a `timeout` that is
    not above 0.
    """

    def __enter__(self) -> Self:
        message, broker = unit_of_work.current_message(), unit_of_work.current_broker()
        if message is None or broker is None:
            return self
        function, since = broker.get_actor(message.actor_name).fn, message.options.get(adapters.SINCE)
        requeue = self.requeue_once(message, message, function, since, partial(_enqueue_again, broker, message))
        if requeue is not None:
            message.options["store_results"] = False  # `Results` would store None for a skipped message
            raise SkipMessage(f"requeued for {requeue.seconds:.2f} s: no replica has its sender's writes yet")
        return self


def _enqueue_again(broker: Broker, message: MessageProxy, requeue: adapters.Requeue) -> None:
    again = message.copy(options={adapters.SINCE: requeue.since})
    broker.enqueue(again, delay=round(requeue.seconds * 1000))


OPTIONS: Final = {"pindb_pinned": pinned, "pindb_unpinned": unpinned}
"""Options of `@dramatiq.actor`, for an alias or a list of them, that do the same as the decorators."""


def apply_options(actor: Actor[Any, Any]) -> None:
    """Decorate an actor as its options say. Raises `PinDbConfigError` for an alias that does not exist."""
    for option, decorator in OPTIONS.items():
        aliases = actor.options.get(option)
        if aliases is not None:
            decorator(*(aliases if isinstance(aliases, (list, tuple, set, frozenset)) else [aliases]))(actor)
