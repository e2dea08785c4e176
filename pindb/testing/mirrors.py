"""Connections to replicas that share a master's connection, so that tests need no second server.

Django's `TEST["MIRROR"]` copies the name of the database only: a `TestCase` would not see its own uncommitted rows
there, and a `TransactionTestCase` would read the replica's real server. Here the replica's connection object has an
alias and execute wrappers of its own, and everything else in common with that of the master.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from pindb.config.database_sets import Config


@contextmanager
def mirrored(config: Config, wrapper: Callable[..., Any]) -> Iterator[None]:
    """Have this thread's reads of replicas use their master's connection, with `wrapper` around each query."""
    before: dict[str, Any] = {}
    for db_set in config.sets.values():
        master = connections[db_set.masters[db_set.name]]
        for alias in db_set.replicas:
            before[alias] = getattr(connections._connections, alias, None)  # type: ignore[attr-defined]
            connections[alias] = _mirror(master, alias, wrapper)
    try:
        yield
    finally:
        for alias, connection in before.items():
            if connection is None:
                del connections[alias]
            else:
                connections[alias] = connection


def _mirror(master: Any, alias: str, wrapper: Callable[..., Any]) -> Any:
    class Mirror(type(master)):  # type: ignore[misc]
        """Shares the state of the master's connection object: properties come before what is in its `__dict__`."""

        alias = property(lambda _: name, lambda _self, _value: None)
        execute_wrappers = property(lambda _: wrappers)

    name, wrappers = alias, [wrapper]
    mirror = object.__new__(Mirror)
    mirror.__dict__ = master.__dict__
    return mirror
