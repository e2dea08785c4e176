"""Whether this thread's own connection to a replica is alive, at the moment a context chooses that replica.

A server that died after it was last asked would otherwise be met by the context's first query. No round trip: a
connection that the server has closed can be told by its socket, and one that is not open yet would be opened by that
query anyway.
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
    """Return why `connection` cannot be used, "" when it can; it is open then. Takes at most about `timeout` seconds.

    A connection in a transaction is left as it is: whoever opened that will see its loss.
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
            # What the driver says of closing what is closed already. A pool may have more of the kind.
            with contextlib.suppress(Exception):
                connection.close()
            if time.monotonic() > deadline:
                return TIMED_OUT
    except (Error, OSError) as error:  # not more: Celery's time limits, for one, are raised wherever the code is
        with contextlib.suppress(Exception):
            connection.close()
        return first_line(error)


def _has_unread_data(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the socket can be read though nothing was asked: it was closed, or something was announced."""
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
    """Do what `connection.connect()` does, but wait no longer than `timeout` for the server."""
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
    # Django's own `connect()` does the rest (state, signal, age), given the connection it would have opened.
    connection.get_new_connection = lambda _: timed_call.result  # type: ignore[method-assign,assignment]
    try:
        connection.connect()
    except BaseException:
        if connection.connection is None:
            discard(timed_call.result)
        raise
    finally:
        del connection.get_new_connection
    return ""
