"""Carries the pins of all members of a group to its completion callbacks, not only those of the member that ends last.

Members end in different processes, which share the rate limiter backend in which Dramatiq counts them. So pindb keeps
the names of the DB sets that they have pinned there, as keys beside the group's barrier: a backend can only add a key,
tell whether it was there, and count. `GroupCallbacks` counts and publishes in one hook, and no other hook runs in
between; so pindb wraps its backend in a `MemberPins`.
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
from pindb import adapters
from pindb.adapters import Patch
from pindb_dramatiq import unit_of_work

logger: Final = logging.getLogger("pindb.dramatiq")

ASKING_TTL: Final = 1000
"""Milliseconds that a key lives which pindb adds only to see whether it was there. Memcached counts whole seconds."""


class MemberPins(RateLimiterBackend):
    """`backend`, which also keeps the names of the DB sets that a group's members have pinned.

    A second counter tells whether pindb has recorded every member. If not (a worker has no pindb, or knows other DB
    sets, or the backend failed), the callbacks read masters.
    """

    def __init__(self, backend: RateLimiterBackend) -> None:
        self.backend: Final[Any] = backend  # Any: Dramatiq's methods have no types

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def add(self, key: str, value: int, ttl: int) -> bool:
        """Add a key. The key of a barrier gets the number of members, which no other call tells."""
        added: bool = self.backend.add(key, value, ttl)
        try:
            if unit_of_work.enabled():
                self.backend.add(_count_key(key), value + 1, ttl)
        except Exception:
            logger.exception("pindb cannot count the members of a group: its callbacks read masters.")
        return added

    def decr(self, key: str, amount: int, minimum: int, ttl: int) -> bool:
        """Decrement a key. A member that ends decrements its barrier, and gets False if it is the last one."""
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
        """Keep the names that the current member has pinned, before it counts as done."""
        try:
            if not unit_of_work.enabled():
                return
            for name in _names(adapters.outcome()):
                self.backend.add(_name_key(key, name), 1, ttl)
            self.backend.decr(_count_key(key), 1, 1, ttl)
        except Exception:
            logger.exception("pindb cannot keep the pins of a group's member: the group's callbacks read masters.")

    def _hand_on(self, key: str, member: MessageProxy) -> None:
        """Write the pins of all members into the callbacks that the last member is about to publish."""
        if not unit_of_work.enabled():
            return
        try:
            names = self._pinned_by_members(key)
        except Exception:
            logger.exception("pindb cannot read the pins of a group's members: the group's callbacks read masters.")
            names = None
        mine = adapters.outgoing()  # the callbacks are of the same causal chain: its share of reads goes with it
        for callback in member.options["group_completion_callbacks"]:
            existing = callback["options"].get(adapters.KEY, mine)
            callback["options"][adapters.KEY] = _pinning(names, existing)

    def _pinned_by_members(self, key: str) -> list[str] | None:
        """Return the names that the members of a group have pinned, `None` if a member is not recorded."""
        count = _count_key(key)
        # The counter is the number of members not recorded, plus one. If the key is missing, it was never set. If it
        # can be decremented without falling below 1, members are missing.
        if self.backend.add(count, 1, ASKING_TTL) or self.backend.decr(count, 1, 1, ASKING_TTL):
            return None
        return [name for name in _names(None) if not self.backend.add(_name_key(key, name), 1, ASKING_TTL)]


def patches(callbacks: GroupCallbacks) -> tuple[Patch, ...]:
    """Return the patch that gives `callbacks` a `MemberPins` as its backend."""
    return (Patch(callbacks, "rate_limiter_backend", MemberPins),)


def _member(key: str) -> MessageProxy | None:
    """Return the current message if `key` is the barrier of its group: the backend may serve other limits, too."""
    message = unit_of_work.current_message()
    return message if message is not None and message.options.get("group_completion_uuid") == key else None


def _names(outcome: object) -> frozenset[str]:
    """Return what the pins of an outcome pin: everything if the outcome is not known."""
    with pindb.pinning_context():
        adapters.take(outcome)
        return adapters.pinned_names()


def _pinning(names: Iterable[str] | None, existing: object) -> Any:
    """Return the pins of a message that pins `names` from now on, or every DB set if `names` is `None`."""
    with pindb.pinning_context():
        if names is None:
            adapters.take(None)
        else:
            for name in names:
                pindb.pin(name)
        return adapters.outgoing(existing)


def _count_key(key: str) -> str:
    # The key depends on the names: during a deploy, a member that knows other DB sets would keep names that the last
    # member does not look for.
    return f"{key}@pindb:{_digest(*sorted(_names(None)))}"


def _name_key(key: str, name: str) -> str:
    return f"{key}@pindb-set:{_digest(name)}"


def _digest(*names: str) -> str:
    # An alias may contain characters that Memcached refuses in a key.
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
