"""Aliases that tell who named them: the router, or the user with `.using()`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self


class _Tagged(str):
    """Equal to the plain `str`, and pickled as one: another process may run without pindb."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)

    def __deepcopy__(self, _: Any) -> Self:  # a queryset copies itself so
        return self


class RowAlias(_Tagged):
    """The alias of a master, in `_state.db` of a row that the router read from a replica."""

    __slots__ = ()


class RoutedReplica(_Tagged):
    """The alias of a replica, as the router's answer to a read. `.using("default-1")` has a plain `str` instead."""

    __slots__ = ("master", "row_alias")

    master: str
    """The alias of the master that the read would use otherwise."""
    row_alias: str
    """The alias that rows from this replica belong to, as far as Django sees: the master's, or that of the replica."""


Routed = Mapping[str, Mapping[str, str]]
"""By the alias of a master, and by that of a replica: the router's answer to a read."""


def routed_replicas(
    masters: Iterable[str], replicas: Iterable[str], *, tagged: bool, rows_belong_to_master: bool
) -> Routed:
    """Return the answers for one DB set, made once, so that a routing decision makes none.

    They are plain aliases unless `tagged`.
    """
    if not tagged:
        return {master: {replica: replica for replica in replicas} for master in masters}
    return {
        master: {
            replica: _routed(replica, master, RowAlias(master) if rows_belong_to_master else replica)
            for replica in replicas
        }
        for master in masters
    }


def _routed(replica: str, master: str, row_alias: str) -> RoutedReplica:
    routed = RoutedReplica(replica)
    routed.master = master
    routed.row_alias = row_alias
    return routed
