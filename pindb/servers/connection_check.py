"""Checks this thread's own connection to a replica, at the moment a unit of work chooses that replica.

The replica may have died since it was last asked, and the first query of the unit of work would fail. The check needs
no round trip: the socket tells if the server has closed the connection. A connection that is not open yet is opened,
which the first query would do anyway.
"""

from __future__ import annotations

import contextlib
import select
import time
from typing import TYPE_CHECKING, Any, Final

from django.db import Error

from pindb.exceptions import first_line
from pindb.servers.timed_call import TimedCall

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

TIMED_OUT: Final = "no connection in time"


def connection_problem(connection: BaseDatabaseWrapper, timeout: float) -> str:
    """Return why `connection` cannot be used. "" means that it can, and is open. Takes at most about `timeout` seconds.

    A connection in a transaction is left alone: the code that opened the transaction will see its loss.
    """
    if connection.in_atomic_block:
        return ""
    deadline = time.monotonic() + timeout
    try:
        while True:
            if connection.connection is None:
                problem = _connect(connection, deadline - time.monotonic())
                if problem:
                    return problem
            if not _has_unread_data(connection) or connection.is_usable():
                return ""
            # The driver may complain that it is closed already. A pool may hand out more such connections.
            with contextlib.suppress(Exception):
                connection.close()
            if time.monotonic() > deadline:
                return TIMED_OUT
    except (Error, OSError) as error:  # not more: Celery's time limits, for one, are raised wherever the code is
        with contextlib.suppress(Exception):
            connection.close()
        return first_line(error)


def _has_unread_data(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the socket has data though nothing was asked: the server has closed it, or announces its end."""
    raw = connection.connection
    errors: Any = connection.Database.Error  # type: ignore[attr-defined]
    try:
        descriptor = (raw if hasattr(raw, "fileno") else raw._sock).fileno()  # that of PyMySQL
        if not hasattr(select, "poll"):  # Windows, gevent
            return bool(select.select([descriptor], [], [], 0)[0])
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))
    except (errors, OSError, ValueError, AttributeError):
        return True  # closed already; or a driver that hides its socket, and has to be asked


def _connect(connection: BaseDatabaseWrapper, timeout: float) -> str:
    """Connect as `connection.connect()` does, but wait at most `timeout` seconds for the server."""
    pool = getattr(connection, "pool", None)

    def discard(raw: Any) -> None:
        with contextlib.suppress(Exception):
            pool.putconn(raw) if pool else raw.close()

    def late(timed_call: TimedCall[Any]) -> None:
        if not timed_call.claim() and timed_call.result is not None:
            discard(timed_call.result)

    parameters = connection.get_connection_params()
    try:
        timed_call: TimedCall[Any] = TimedCall(lambda: connection.get_new_connection(parameters), late)
    except RuntimeError as error:  # no thread can be started
        return first_line(error)
    try:
        over = timed_call.wait(timeout)
    except BaseException:
        if not timed_call.claim():
            discard(timed_call.result)
        raise
    if not over and timed_call.claim():
        return TIMED_OUT
    if timed_call.error is not None:
        return first_line(timed_call.error)
    # Django's own `connect()` does the rest (state, signal, age), given the connection it would have opened. It queries
    # the server, and leaves it to its caller to turn the driver's exceptions into Django's.
    connection.get_new_connection = lambda _: timed_call.result  # type: ignore[method-assign,assignment]
    try:
        with connection.wrap_database_errors:
            connection.connect()
    except BaseException:
        if connection.connection is None:
            discard(timed_call.result)
        raise
    finally:
        del connection.get_new_connection
    return ""
