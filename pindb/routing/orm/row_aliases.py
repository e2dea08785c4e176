"""Rows that the router read from a replica belong to the master, as far as Django sees.

To Django a replica is another database than its master. So a row from `default-1` is not in `default`:

- `.only("name")`, then `save()`, writes all columns, those too that another process has changed meanwhile;
- `customer.orders.add(order)` raises `ValueError`;
- the `.update()` and `.filter().delete()` of a `GenericRelation` go to the replica (Django's ticket 36389);
- a `GenericForeignKey`, `get_next_by_...()` and a relation that was built before a write read the replica after it.

Django has no setting for this, so five of its attributes are replaced when a router is built:

- `ModelState.db`: a row from a `RoutedReplica` gets the `RowAlias` of the master;
- `QuerySet.db` and `RawQuerySet.db`: where Django passes one of the two aliases on with `using()`, the router decides
  anew when the query runs. It is asked where to write if `raw()` has a statement that writes;
- `QuerySet.resolve_expression`: a subquery on one alias of the DB set is allowed in a query on another;
- `ConnectionHandler.create_connection`: a connection's own alias is a plain `str`.

An alias that the user named, as in `.using("default-1")`, is a plain `str`, and nothing changes for it.

Tested on Django 5.2, 6.0 and 6.1. `PINDB_ROWS_BELONG_TO_MASTER = False` leaves all of it out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from django.db import connections, router
from django.db.utils import ConnectionHandler

from pindb.config.aliases import RoutedReplica, RowAlias
from pindb.config.database_sets import current_config
from pindb.routing.orm.patching import Patches
from pindb.routing.writes.statements import effect_of

_patches: Final = Patches()
uninstall: Final = _patches.undo


def install() -> None:
    """Replace the attributes; twice is once. Not at import: `import pindb` loads no models."""
    from django.db.models.base import ModelState  # noqa: PLC0415
    from django.db.models.query import QuerySet, RawQuerySet  # noqa: PLC0415

    _patches.replace(ModelState, "db", _row_alias)
    _patches.replace(QuerySet, "db", _queryset_alias)
    _patches.replace(RawQuerySet, "db", _raw_queryset_alias)
    _patches.replace(QuerySet, "resolve_expression", _subquery)
    _patches.replace(ConnectionHandler, "create_connection", _connection)


def _row_alias(default: object) -> property:
    # In the row's own `__dict__`, under Django's name: what is pickled is what Django pickles.
    def get(state: Any) -> Any:
        return state.__dict__.get("db", default)

    def set_(state: Any, alias: Any) -> None:
        state.__dict__["db"] = alias.row_alias if alias.__class__ is RoutedReplica else alias

    return property(get, set_)


def _queryset_alias(original: property) -> property:
    django_db: Any = original.fget

    def db(queryset: Any) -> Any:
        alias = queryset._db
        if alias is None or (alias.__class__ is not RoutedReplica and alias.__class__ is not RowAlias):
            return django_db(queryset)
        return _decided_anew(queryset.model, alias, for_write=queryset._for_write)

    return property(db, doc=original.__doc__)


def _raw_queryset_alias(original: property) -> property:
    django_db: Any = original.fget

    def db(queryset: Any) -> Any:
        alias = queryset._db
        if alias.__class__ is not RoutedReplica and alias.__class__ is not RowAlias:
            return django_db(queryset)
        sql = queryset.raw_query
        alias = _decided_anew(queryset.model, alias, for_write=isinstance(sql, str) and effect_of(sql).writes)
        query = getattr(queryset, "query", None)
        if query is not None:  # Django has decided where it runs when `raw()` was called, in whatever thread
            query.using = alias
        return alias

    return property(db, doc=original.__doc__)


def _decided_anew(model: type[Any], alias: str, *, for_write: bool) -> str:
    """Return the alias that the router names now for `alias`, a `RoutedReplica` or a `RowAlias`."""
    if isinstance(alias, RoutedReplica):
        if alias.row_alias == alias:
            return alias  # the setting says now that rows belong to the replica
        if not for_write and connections[alias].in_atomic_block:
            return alias  # a transaction on the replica, which the code that opened it means to read in
        alias = alias.master
    master = str(alias)
    for candidate in router.routers:
        if hasattr(candidate, "read_again"):
            answer: str = (candidate.write_again if for_write else candidate.read_again)(model, master)
            return answer
    return master


def _subquery(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def resolve_expression(queryset: Any, *args: Any, **kwargs: Any) -> Any:
        query = original(queryset, *args, **kwargs)
        if query._db.__class__ is RoutedReplica or query._db.__class__ is RowAlias:
            query._db = _AnyOfItsSet(query._db)
        return query

    return resolve_expression


class _AnyOfItsSet(str):
    """The alias of a subquery. Django refuses it in a query on another database: `inner != outer`."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __ne__(self, outer: object) -> bool:
        db_set = current_config().owners.get(self)
        return outer not in (db_set.masters if db_set is not None else {str(self)})


def _connection(original: Callable[[ConnectionHandler, str], Any]) -> Callable[[ConnectionHandler, str], Any]:
    def create_connection(handler: ConnectionHandler, alias: str) -> Any:
        return original(handler, str(alias))

    return create_connection
