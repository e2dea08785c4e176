"""Asks one server, on a connection of its own, whether it follows its master and how far it is behind.

The probe does not use the application's connection: its first query may hang, and its settings are the user's.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final, NamedTuple

from django.db import DatabaseError, connections

from pindb.exceptions import first_line
from pindb.servers.vendors import PROBED, vendor_of_driver
from pindb.servers.vendors.base import Identity, Report

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def probe_for(alias: str) -> BaseDatabaseWrapper:
    """Return a closed connection of its own to the server of `alias`, with short timeouts and no pool."""
    connection = connections[alias]
    settings = connection.settings_dict
    options = {key: value for key, value in (settings.get("OPTIONS") or {}).items() if key != "pool"}
    if connection.vendor in PROBED:
        options.update(PROBED[connection.vendor].probe_options)
    return type(connection)({**settings, "OPTIONS": options}, alias)


def same_server(first: str, second: str) -> bool:
    """Return whether two aliases lead to one database: in development a replica's entry may change nothing."""
    one, other = (connections[alias].settings_dict for alias in (first, second))
    return all(one.get(key) == other.get(key) for key in ("ENGINE", "HOST", "PORT", "NAME", "OPTIONS"))


def ask(probe: BaseDatabaseWrapper, *, lag: bool, max_lag: float | None = None) -> Report:
    """Return the answer of a replica. `lag` tells whether to ask for its lag, `max_lag` how many seconds are too much.

    Raises what the driver raises. Django's `connect()` is not called: receivers of `connection_created` expect
    connections that the application uses.
    """
    with closing(probe.get_new_connection(probe.get_connection_params())) as connection:
        vendor = vendor_of_driver(probe.vendor, connection)
        if vendor is None:
            return Report(why=f"{probe.display_name} does not tell" if lag else "")
        cursor = connection.cursor()
        if not vendor.follows(cursor):
            return Report(follows=False)
        if not lag:
            return Report()
        try:
            with probe.wrap_database_errors:
                return vendor.replica_report(cursor, max_lag)
        except DatabaseError as error:  # Aurora lacks the functions, MariaDB wants a privilege
            return Report(why=first_line(error), refused=True)


def ask_master(probe: BaseDatabaseWrapper) -> Report:
    """Return the answer of a master; its `follows` is True if it is a replica after all.

    Raises what the driver raises.
    """
    with closing(probe.get_new_connection(probe.get_connection_params())) as connection:
        vendor = vendor_of_driver(probe.vendor, connection)
        return Report(follows=False) if vendor is None else vendor.master_report(connection.cursor())


def identity_of(alias: str) -> Identity | str | None:
    """Return which server `alias` leads to, or why it did not say so; None where pindb knows no question to ask."""
    try:
        probe = probe_for(alias)
        with closing(probe.get_new_connection(probe.get_connection_params())) as connection:
            vendor = vendor_of_driver(probe.vendor, connection)
            return None if vendor is None else vendor.identity(connection.cursor())
    except Exception as error:
        return f"{alias!r} did not answer ({first_line(error)})"


class ClockReading(NamedTuple):
    """How many seconds a clock is ahead of that of this machine, give or take `error` seconds."""

    ahead: float
    error: float

    @classmethod
    def between(cls, before: float, reading: float, after: float) -> ClockReading:
        """Return what a `reading` tells that was taken at some time between `before` and `after`."""
        return cls(reading - (before + after) / 2, (after - before) / 2)


def clock_of(alias: str) -> ClockReading | None:
    """Return how the clock of the server of `alias` compares; None where pindb knows no question to ask.

    Raises what the driver raises.
    """
    probe = probe_for(alias)
    with closing(probe.get_new_connection(probe.get_connection_params())) as connection:
        vendor = vendor_of_driver(probe.vendor, connection)
        if vendor is None:
            return None
        cursor = connection.cursor()
        vendor.clock(cursor)  # the first query may take longer
        before = time.time()
        reading = vendor.clock(cursor)
        return ClockReading.between(before, reading, time.time())


HOLDERS: Final = 3
"""How many transactions are held open while a connection is asked again and again."""


def servers_behind(alias: str) -> frozenset[str]:
    """Return the servers that answer on one connection to `alias`: several where a pooler spreads its statements.

    Other connections hold transactions open meanwhile, so that a pooler cannot lead each statement to the same server.
    Raises what the driver raises.
    """
    probe = probe_for(alias)
    parameters = probe.get_connection_params()
    with ExitStack() as stack:
        probe.connection = stack.enter_context(closing(probe.get_new_connection(parameters)))
        probe._set_autocommit(True)  # type: ignore[attr-defined]  # Django's, without the signal of `connect()`
        vendor = vendor_of_driver(probe.vendor, probe.connection)
        if vendor is None:
            return frozenset()
        found = {vendor.identity(probe.connection.cursor()).server}
        for _ in range(HOLDERS):
            holder = stack.enter_context(closing(probe.get_new_connection(parameters)))
            vendor.identity(holder.cursor())  # in a transaction, as the driver begins one
            found.add(vendor.identity(probe.connection.cursor()).server)
    return frozenset(found)
