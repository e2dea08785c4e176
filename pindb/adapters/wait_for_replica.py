"""Requeues a task until a replica has caught up, instead of letting it read the master: base of both `@caught_up`.

The check decides as the task's first read would decide, over the same connection. "Not yet" changes nothing in the unit
of work: the message goes back, and opens a unit of work of its own when it returns.
"""

from __future__ import annotations

import functools
import logging
import math
import random
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Self

from asgiref.sync import iscoroutinefunction, sync_to_async

from pindb import interrupts
from pindb.api.context_managers import _Aliases
from pindb.config.database_sets import DbSet, current_config
from pindb.event_loop import loop_is_running
from pindb.exceptions import PinDbConfigError
from pindb.routing.decision import Reason
from pindb.routing.rules import current_frame_for, decide
from pindb.servers import health
from pindb.servers.positions import can_be_reached

logger: Final = logging.getLogger("pindb")

SINCE: Final = "pindb_since"
"""The name of the message header or option that holds the time of the task's first start, in UTC epoch seconds."""

SHORTEST: Final = 0.1
LONGEST: Final = 5.0
"""Bounds of the delay of a requeued message, in seconds."""

ASKED: Final = "pindb_asked"
"""Attribute of a running message: the ids of the decorators that have asked in this run.

A task may call itself or another task directly: such a call must not requeue the message.
"""


class Requeue(NamedTuple):
    """A decision to requeue a message: the delay in seconds, and the value of its `SINCE` header."""

    seconds: float
    since: float


class CaughtUp(_Aliases):
    """Base of the adapters' `@caught_up`: `__enter__` calls `requeue_once`, and ends the run of a requeued message.

    Raises `PinDbConfigError` for an alias that does not exist, and for a `timeout` that is not above 0.
    """

    def __init__(self, *aliases: str, timeout: float = 30.0) -> None:
        super().__init__(*aliases)
        if type(timeout) not in (int, float) or not 0 < timeout < math.inf:
            raise PinDbConfigError(
                f"timeout={timeout!r} is not a number of seconds above 0.",
                f'Write {type(self).__name__}("{aliases[0]}", timeout=30).',
            )
        self.timeout: Final = timeout
        self.decorator_id: Final = object()  # copies share it

    def __call__(self, function: Callable[..., Any]) -> Any:
        """Return `function`, which starts once a replica has caught up with the pins of its message."""
        decorated: Any = self._async(function) if iscoroutinefunction(function) else super().__call__(function)
        target: Any = decorated.__func__ if isinstance(decorated, staticmethod | classmethod) else decorated
        target.pindb_caught_up = self.decorator_id
        return decorated

    def _async(self, function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        async def awaiting(*args: Any, **kwargs: Any) -> Any:
            # This asks databases and publishes messages, which must not block the event loop.
            await sync_to_async(self.__enter__)()
            return await function(*args, **kwargs)

        return awaiting

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(self, *exc_info: object) -> None:
        pass

    def requeue_once(
        self, message: object, task: object, function: object, since: object, publish: Callable[[Requeue], None]
    ) -> Requeue | None:
        """Call `publish` if `message` has to wait; return the requeue, or None if the task is to run now.

        Only the first call in the run of a message asks, and only if this decorates `function`, the function of its
        task. `since` is the value of the message's `SINCE` header, and `task` names the task in the log. If `publish`
        fails, the task runs now, on the master.
        """
        asked = vars(message).setdefault(ASKED, set())
        if self.decorator_id in asked or not self._guards(function):
            return None
        asked.add(self.decorator_id)
        requeue = self.requeue_needed(since)
        if requeue is None:
            return None
        try:
            publish(requeue)
        except interrupts.types:
            raise
        except Exception:
            logger.exception("pindb could not put %s back into its queue: it runs now, on the master.", task)
            return None
        return requeue

    def _guards(self, function: Any) -> bool:
        """Return whether this decorates `function`, perhaps below other decorators."""
        while function is not None:
            function = getattr(function, "__func__", function)
            if getattr(function, "__dict__", {}).get("pindb_caught_up") is self.decorator_id:
                return True
            function = getattr(function, "__wrapped__", None)
        return False

    def requeue_needed(self, since: object) -> Requeue | None:
        """Return how to requeue a message with this `SINCE` header, None if its task is to run now.

        The task runs once a replica of each DB set has caught up. It runs on the master if waiting would not help, if
        it has waited `timeout` seconds, or if anything fails here.
        """
        db_sets = self._db_sets()
        now = time.time()
        started = since if type(since) in (int, float) and 0 < since < now else now  # type: ignore[operator]
        waited = now - started  # type: ignore[operator]
        left = self.timeout - waited
        try:
            if left <= 0 or loop_is_running():  # Django refuses queries in an event loop
                return None
            behind = [db_set for db_set in db_sets if _is_behind(db_set)]
            if not behind:
                return None
            return Requeue(min(_delay(behind, waited), left), now - waited)
        except interrupts.types:
            raise
        except Exception:
            logger.exception("pindb could not tell whether a task has to wait for a replica: it runs now.")
            return None


def _is_behind(db_set: DbSet) -> bool:
    """Return whether this unit of work waits for a log position that no replica has replayed, but one still may."""
    config, name = current_config(), db_set.name
    frame = current_frame_for(config)
    positions = frame.unit.awaiting_position.get(name)
    if positions is None or not config.settings.positions:
        return False
    # The unit of work keeps its pin: its first read decides, perhaps in another thread with a connection of its own.
    # Nor does this wait for a replica: the worker can run other tasks meanwhile.
    decision = decide(config, frame.unit, db_set, name, frame.overrides.get(name), may_wait=False)
    reason = decision.reason
    if decision.is_shadow:
        return False  # the master is read all the same
    if reason is Reason.NO_REPLICA_USABLE and health.lag_of(db_set.replicas) is None:
        return False  # the replicas do not lag, they are down
    return reason in (Reason.WAITING_FOR_POSITION, Reason.NO_REPLICA_USABLE) and can_be_reached(
        db_set.servers, positions
    )


def _delay(behind: list[DbSet], waited: float) -> float:
    """Return after how many seconds to look again: when the replica should be there, else half as long as before."""
    lags = [health.lag_of(db_set.replicas) for db_set in behind]
    expected = max((lag for lag in lags if lag is not None), default=0.0) - waited
    seconds = min(max(expected, waited / 2, SHORTEST), LONGEST)
    return seconds * random.uniform(1, 1.2)  # noqa: S311 - no secret
