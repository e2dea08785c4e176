"""Asks one server, on a connection of its own, whether it follows its master and how far it is behind.

The probe does not use the application's connection: its first query may hang, and its settings are the user's.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

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
            return Report(why=first_line(error))


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
