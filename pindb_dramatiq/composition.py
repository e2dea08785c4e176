"""The fan-in: completion callbacks of a group read what every member wrote, not only what the last one did.

Members finish in different processes. What they share is the rate limiter backend in which Dramatiq counts them, so the
names of the DB sets they have pinned are kept there, as keys beside the group's barrier: its backends can add a key
and say whether it was there, and count, no more. `GroupCallbacks` counts and publishes in one hook, between whose steps
no other hook runs; so it is given a `MemberPins` for its backend.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from typing import Any, Final

from dramatiq import MessageProxy
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits import RateLimiterBackend

import pindb
from pindb import propagation
from pindb_dramatiq import sharing, window

logger: Final = logging.getLogger("pindb.dramatiq")

ASKING_TTL: Final = 1000
"""Milliseconds that a key lives which was added only to see whether it was there; Memcached counts whole seconds."""


class MemberPins(RateLimiterBackend):
    """A rate limiter backend that keeps what a group's members have pinned; else it is `backend`.

    A second counter tells whether every member has been recorded. Where one was not (its worker has no pindb, or knows
    other DB sets, or the backend failed), the callbacks read masters.
    """

    def __init__(self, backend: RateLimiterBackend) -> None:
        self.backend: Final[Any] = backend  # Any: Dramatiq gives its methods no types

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def add(self, key: str, value: int, ttl: int) -> bool:
        """Add a key: for a barrier the number of members, known here only."""
        added: bool = self.backend.add(key, value, ttl)
        try:
            if window.enabled():
                self.backend.add(_count(key), value + 1, ttl)
        except Exception:
            logger.exception("pindb cannot count the members of a group: its callbacks read masters.")
        return added

    def decr(self, key: str, amount: int, minimum: int, ttl: int) -> bool:
        """Decrement a key: a barrier when a member is done, which returns False for the last one."""
        member = _member(key)
        if member is not None:
            self._record(key, ttl)
        decremented: bool = self.backend.decr(key, amount, minimum, ttl)
        if member is not None and not decremented:
            self._hand_on(key, member)
        return decremented

    def incr(self, key: str, amount: int, maximum: int, ttl: int) -> bool:
        return bool(self.backend.incr(key, amount, maximum, ttl))

    def incr_and_sum(self, key: str, keys: Any, amount: int, maximum: int, ttl: int) -> bool:
        return bool(self.backend.incr_and_sum(key, keys, amount, maximum, ttl))

    def wait(self, key: str, timeout: int) -> bool:
        return bool(self.backend.wait(key, timeout))

    def wait_notify(self, key: str, ttl: int) -> None:
        self.backend.wait_notify(key, ttl)

    def _record(self, key: str, ttl: int) -> None:
        """Keep what the member whose unit of work this is has pinned, before it counts as done."""
        try:
            if not window.enabled():
                return
            for name in _names(propagation.outcome()):
                self.backend.add(_mark(key, name), 1, ttl)
            self.backend.decr(_count(key), 1, 1, ttl)
        except Exception:
            logger.exception("pindb cannot keep the pins of a group's member: the group's callbacks read masters.")

    def _hand_on(self, key: str, member: MessageProxy) -> None:
        """Put what was kept into the callbacks that the last member is about to publish."""
        if not window.enabled():
            return
        try:
            names = self._kept(key)
        except Exception:
            logger.exception("pindb cannot read the pins of a group's members: the group's callbacks read masters.")
            names = None
        for callback in member.options["group_completion_callbacks"]:
            existing = callback["options"].get(propagation.KEY)
            callback["options"][propagation.KEY] = _pinning(names, existing)

    def _kept(self, key: str) -> list[str] | None:
        """Return what the members of a group have pinned, `None` unless that is known of all of them."""
        count = _count(key)
        # One more than members not recorded: missing, it was never set; lowered without falling below 1, some are left.
        if self.backend.add(count, 1, ASKING_TTL) or self.backend.decr(count, 1, 1, ASKING_TTL):
            return None
        return [name for name in _names(None) if not self.backend.add(_mark(key, name), 1, ASKING_TTL)]


def gather(callbacks: GroupCallbacks, holder: object) -> None:
    """Make `callbacks` keep what members have pinned, for `holder`; twice is once."""
    if sharing.hold(callbacks, holder):
        callbacks.rate_limiter_backend = MemberPins(callbacks.rate_limiter_backend)


def ungather(callbacks: GroupCallbacks, holder: object) -> None:
    """Undo `gather(callbacks, holder)`."""
    if sharing.let_go(callbacks, holder) and isinstance(callbacks.rate_limiter_backend, MemberPins):
        callbacks.rate_limiter_backend = callbacks.rate_limiter_backend.backend


def _member(key: str) -> MessageProxy | None:
    """Return the message being processed if `key` is its group's barrier: the backend may serve other limits too."""
    message = window.processed()
    return message if message is not None and message.options.get("group_completion_uuid") == key else None


def _names(outcome: object) -> frozenset[str]:
    """Return the names of the DB sets that a unit of work was given or wrote: all of them where it is not known."""
    with pindb.pinning_context():
        propagation.take(outcome)
        return pindb.get_pinned()


def _pinning(names: Iterable[str] | None, existing: object) -> Any:
    """Return what a message shall hold that pins `names` from now on, every DB set for `None`."""
    with pindb.pinning_context():
        if names is None:
            propagation.take(None)
        else:
            for name in names:
                pindb.pin(name)
        return propagation.outgoing(existing)


def _count(key: str) -> str:
    # The names are in it: members that know other DB sets, during a deploy, would keep names that nobody asks for.
    return f"{key}@pindb:{_digest(*sorted(_names(None)))}"


def _mark(key: str, name: str) -> str:
    return f"{key}@pindb-set:{_digest(name)}"


def _digest(*names: str) -> str:
    # An alias may hold what Memcached takes in no key.
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
