"""Positions: where a master's log stands, and whether a replica has replayed that far.

Nothing here raises: what cannot be asked, or answered, is not known. But in an event loop's thread, where Django
refuses queries, `written_by`, `position_of` and `can_be_reached` raise its `SynchronousOnlyOperation`: another thread
may know more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections

from pindb import events, interrupts
from pindb.core.pins import PinnedPosition, Position
from pindb.core.transactions import in_transaction
from pindb.exceptions import first_line
from pindb.once import Once
from pindb.servers.position_cache import position_cache
from pindb.servers.vendors import address_of, log_vendor_of
from pindb.servers.vendors.base import LogVendor, ReplicaPosition, has_passed

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

logger: Final = logging.getLogger("pindb")


def written_by(alias: str) -> Position | None:
    """Return what the master `alias` has written, asked over this thread's connection; None where it is not known."""
    try:
        connection = connections[alias]
        vendor = log_vendor_of(connection)
        # Before the question: what comes in meanwhile may be later than the answer.
        unreached = position_cache.unreached(alias)
        events.tell(events.Observer.position_asked, alias)
        position = vendor.written(connection) if vendor else {}
        if position:
            position_cache.learn_master_logs(alias, position)
            _report_lost_data(alias, position, unreached)
        return position or None
    except SynchronousOnlyOperation:
        raise
    except interrupts.types:
        raise
    except Exception as error:
        _report(alias, error, "its pins are timed ones")
        return None


def position_of(alias: str) -> Position | None:
    """Return what the replica `alias` shows, asked over this thread's connection; None where it is not known."""
    try:
        connection = connections[alias]
        vendor = log_vendor_of(connection)
        if vendor is None or in_transaction(connection):
            return None
        answer = _asked(alias, connection, vendor)
        shown = answer.position if answer.handed_on is None else answer.handed_on
        return None if position_cache.is_scattered(alias) else shown or None
    except SynchronousOnlyOperation:
        raise
    except interrupts.types:
        raise
    except Exception as error:
        _report(alias, error, "what it was read at is not handed on")
        return None


def has_replayed(alias: str, master: str, positions: tuple[PinnedPosition, ...]) -> bool:
    """Return whether what this thread reads from `alias`, a replica of `master`, has all of `positions`.

    Asked, if need be, over the connection that will be read, at which nothing else happens in between.
    """
    try:
        connection = connections[alias]
        # The first query would, and might find another server behind the same name.
        connection.close_if_health_check_failed()
        connection.ensure_connection()
        vendor = log_vendor_of(connection)
        # A transaction may go on showing what it saw first.
        if vendor is None or in_transaction(connection) or position_cache.is_scattered(alias):
            return False
        answer = _known_past(alias, master, positions) or _asked(alias, connection, vendor)
        if position_cache.is_scattered(alias):
            return False
        if has_passed(answer.position, positions):
            return answer.timeline_confirmed or _are_in_masters_log(master, positions)
        meant = _translated(vendor, master, positions, answer.position)
        if meant != positions and has_passed(answer.position, meant):
            return _are_in_masters_log(master, meant)
    except SynchronousOnlyOperation:
        return False
    except interrupts.types:
        raise
    except Exception as error:
        _report(alias, error, "who has written reads the master")
        return False
    position_cache.note_behind(alias)
    for pinned in meant:
        if pinned.log in answer.position:
            position_cache.note_unreached(master, pinned)
        else:
            found = ", ".join(answer.position) or "nothing"
            _warn_once(
                f"A pin waits for the log {pinned.log}, but {alias!r} replays {found}: it is from before a "
                "failover, or from elsewhere. Reads use the master until it lapses",
                (alias, pinned.log),
            )
    return False


def open_connection(alias: str) -> object | None:
    """Return the driver's connection that this thread reads `alias` over; None if it has yet to open one.

    A question costs 0.07 ms over an open connection, and about 5 ms over one that has to be opened.
    """
    connection = connections[alias]
    # The next query would do the same, and might then find another server behind the same name.
    connection.close_if_health_check_failed()
    raw: object | None = connection.connection
    return raw


def is_known_past(alias: str, master: str, positions: tuple[PinnedPosition, ...]) -> bool:
    """Return whether this process expects, without a question, that `alias` has replayed all of `positions`."""
    if connections[alias].connection is not None:
        return _known_past(alias, master, positions) is not None
    meant = position_cache.translated(master, positions)
    return any(position_cache.expected_past(alias, either) for either in {positions, meant})


def _known_past(alias: str, master: str, positions: tuple[PinnedPosition, ...]) -> ReplicaPosition | None:
    """Return the answer by which this thread's open connection to `alias` shows `positions`, or what they mean now."""
    connection = connections[alias]
    address, raw = address_of(connection), connection.connection
    known = position_cache.cached_answer_past(alias, raw, address, positions)
    if known is None and (meant := position_cache.translated(master, positions)) != positions:
        known = position_cache.cached_answer_past(alias, raw, address, meant)
    return known


def _translated(
    vendor: LogVendor, master: str, positions: tuple[PinnedPosition, ...], replayed: Position
) -> tuple[PinnedPosition, ...]:
    """Return `positions`, those from before a failover as positions in the log that `master` writes now.

    Whatever has survived the failover is in the new master, so a position of an earlier log means: as far as the new
    master was when this process first met such a position. The master is asked only if `replayed`, the answer of a
    replica, is of a later log.
    """
    for log in {*replayed, *(pinned.log for pinned in positions)}:
        # Another failover may leave a replica on the log that this process still takes for the master's.
        if any(_is_later(vendor, log, known) for known in position_cache.master_logs(master)[1]):
            position_cache.void_master_logs(master)
    for pinned in positions:
        earlier = pinned.log not in replayed and any(vendor.is_earlier(pinned.log, log) for log in replayed)
        if (
            not earlier
            or position_cache.can_translate(master, pinned) is not None
            or in_transaction(connections[master])
        ):
            continue
        translation = vendor.translate(connections[master], pinned.log)
        position_cache.learn_translation(master, pinned.log, translation)
        if translation.position.keys() - position_cache.master_logs(master)[1]:
            position_cache.learn_master_logs(master, vendor.written(connections[master]))
    return position_cache.translated(master, positions)


def _is_later(vendor: LogVendor, log: str, than: str) -> bool:
    """Return whether `log` is later for certain: the logs of MariaDB and MySQL have no order."""
    return vendor.is_earlier(than, log) and not vendor.is_earlier(log, than)


def distance_to(alias: str, master: str, positions: tuple[PinnedPosition, ...]) -> int | None:
    """Return how far `alias` was behind `positions` when this thread last asked it; None if it will not get there.

    In bytes on PostgreSQL, in transactions on MariaDB and MySQL: good for comparing replicas.
    """
    raw = connections[alias].connection
    answer = None if raw is None else position_cache.last_answer(raw)
    meant = position_cache.translated(master, positions)
    if answer is None or any(pinned.log not in answer.position for pinned in meant):
        return None
    return sum(max(0, pinned.offset - answer.position[pinned.log]) for pinned in meant)


def server_has_waited(alias: str, master: str, positions: tuple[PinnedPosition, ...], seconds: float) -> bool:
    """Have the server itself wait for `positions`; return False if it has no means of that, or fails."""
    try:
        connection = connections[alias]
        vendor = log_vendor_of(connection)
        meant = position_cache.translated(master, positions)
        return vendor is not None and vendor.wait(connection, meant, seconds)
    except interrupts.types:
        raise
    except Exception as error:
        _report(alias, error, "pindb asks again instead of having the server wait")
        return False


def can_be_reached(master: str, positions: tuple[PinnedPosition, ...]) -> bool:
    """Return whether replicas of `master` may get to `positions`: never to those of a log that it does not write."""
    meant = position_cache.translated(master, positions)
    return _are_in_masters_log(master, meant) or not position_cache.master_logs(master)[1]


def _asked(alias: str, connection: BaseDatabaseWrapper, vendor: LogVendor) -> ReplicaPosition:
    asked_at = time.monotonic()
    events.tell(events.Observer.position_asked, alias)
    answer = vendor.replayed(connection)
    position_cache.learn(alias, connection.connection, vendor.connected_address(connection), answer, asked_at)
    if position_cache.is_scattered(alias):
        _warn_once(
            f"One connection to {alias!r} leads to several servers, now to {answer.server}: a pooler spreads its "
            "statements, so that one server is asked for its position and another one is read. This process does not "
            f"believe {alias!r} again: reads that wait for a position use the master. Give each replica an alias",
            ("scattered", alias),
        )
    return answer


def _are_in_masters_log(master: str, positions: Sequence[PinnedPosition]) -> bool:
    """Return whether `positions` are of the log that `master` writes now, and not of one from before a failover."""
    fresh, logs = position_cache.master_logs(master)
    if not fresh and not in_transaction(connections[master]):
        # Of a master that does not answer, what was last known is as good as anything.
        logs = frozenset(written_by(master) or logs)
    return all(pinned.log in logs for pinned in positions)


def _report_lost_data(master: str, position: Position, unreached: Position) -> None:
    for log, offset in unreached.items():
        if offset > position.get(log, offset):
            _warn_once(
                f"A pin waits for position {offset} of the log {log}, but the master {master!r} has written only up to "
                f"{position[log]}: it has lost data, or was restored. Reads use the master until it gets there",
                ("future", log),
            )


_reported: Final = Once()


def _report(alias: str, error: Exception, consequence: str) -> None:
    _warn_once(f"{alias!r} did not tell its position ({first_line(error)}): {consequence}", (alias, type(error)))


def _warn_once(what: str, key: object) -> None:
    """Log a warning once in this process: the same holds for every request and message of an outage."""
    if _reported.first_time(key):
        logger.warning("%s. Said once per process.", what)
