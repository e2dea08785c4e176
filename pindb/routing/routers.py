"""The two routers for `DATABASE_ROUTERS`: greedy pins at a write, strict refuses a write that nothing announced."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.apps import apps
from django.db.utils import DEFAULT_DB_ALIAS

from pindb.config.database_sets import Config, current_config, live, load_config
from pindb.core.frames import frame_var
from pindb.core.implicit import Lease
from pindb.core.transactions import ReplicaUnlessInTransaction, connection_cache
from pindb.once import Once
from pindb.routing.orm import repeated_reads, row_aliases
from pindb.routing.rules import read_alias, routing_key, write_alias

if TYPE_CHECKING:
    from django.db.models import Model


logger: Final = logging.getLogger("pindb")

_current_frame = frame_var.get


class PinDbRouter:
    """What both routers share. Raises `PinDbConfigError` when built with settings that do not hold together."""

    strict: ClassVar[bool]

    def __init__(self) -> None:
        settings = load_config().settings
        if settings.rows_belong_to_master:
            row_aliases.install()
        if settings.retry_on_master:
            repeated_reads.install()
        if settings.enabled:
            _warn_if_nothing_is_checked()

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        """Return the alias to read from. Runs for every query, so the cached answers of the unit of work come first."""
        alias = DEFAULT_DB_ALIAS
        if not live.plain:
            config = live.config or load_config()
            if config.delegates is not None:
                alias = _delegated(config, "db_for_read", model, hints)
            elif hints:
                alias = _of_instance(hints)
            try:
                keys = config.keys.get(model._meta.db_table)
            except AttributeError:  # no model: a package that asks for itself
                keys = None
            if keys is not None:
                alias = keys.get(alias, alias)
        elif hints:
            alias = _of_instance(hints)
        frame = _current_frame()
        if frame is not None:
            cache = frame.cache
            if cache.config is live.cached:
                answer: str | ReplicaUnlessInTransaction | Lease | None = cache.aliases.get(alias)
                if type(answer) is Lease:
                    answer = answer.route if time.time() < answer.unit.ends_at else None
                if type(answer) is ReplicaUnlessInTransaction:
                    connection = connection_cache.connections.get(answer)
                    if connection is not None:
                        return answer.master if connection.in_atomic_block else answer.replica
                elif answer is not None:
                    return answer
        return read_alias(live.config or load_config(), alias)

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        """Return the alias to write to: a master, or an unmanaged alias, never a replica."""
        config = current_config()
        alias = routing_key(config, model, _delegated(config, "db_for_write", model, hints))
        return write_alias(config, alias, strict=self.strict)

    def read_again(self, model: type[Model], alias: str) -> str:
        """Return the alias to read `model` from, in the DB set of `alias`, which the router has chosen before."""
        config = current_config()
        return read_alias(config, routing_key(config, model, alias))

    def write_again(self, model: type[Model], alias: str) -> str:
        """Return the alias to write `model` to, in the DB set of `alias`."""
        config = current_config()
        return write_alias(config, routing_key(config, model, alias), strict=self.strict)

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        """Allow relations inside a DB set, for master and replicas are one database; else ask the delegates."""
        config = current_config()
        first = config.owners.get(obj1._state.db or "")
        if first is not None and first is config.owners.get(obj2._state.db or ""):
            return True
        allowed: bool | None = _first_opinion(config, "allow_relation", obj1, obj2, **hints)
        return allowed

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool | None:
        """Refuse migrations of replicas; else ask the delegates."""
        config = current_config()
        owner = config.owners.get(db)
        if owner is not None and db in owner.replicas:
            return False
        allowed: bool | None = _first_opinion(config, "allow_migrate", db, app_label, model_name=model_name, **hints)
        return allowed


class GreedyPinDbRouter(PinDbRouter):
    """Pins a DB set at the first write: most code works as it is."""

    strict = False


class StrictPinDbRouter(PinDbRouter):
    """Raises `UnpinnedWriteException` at a write to a DB set that is not pinned.

    Code says what it will write before it reads, and so never decides on a replica's old data; a write still counts as
    a new pin.
    """

    strict = True


_warned: Final = Once()


def _warn_if_nothing_is_checked() -> None:
    """Say once in a process that `pindb` is not in INSTALLED_APPS: no system check runs then, so none can say it."""
    if apps.apps_ready and not apps.is_installed("pindb") and _warned.first_time("INSTALLED_APPS"):
        logger.warning(
            "A router of pindb is in use, but pindb is not in INSTALLED_APPS: manage.py check does not check pindb's "
            'settings. Write INSTALLED_APPS = ["pindb", ...].'
        )


def _delegated(config: Config, action: str, model: type[Model], hints: dict[str, Any]) -> str:
    """Return the alias that the delegates name for `model`.

    Their `None` means "default", but for a row that is already somewhere: it is read again, and saved, where it is.
    Without delegates nobody said `None`, and Django's own rule holds: queries for an instance go to its database.
    """
    if config.delegates is None:
        return _of_instance(hints)
    alias: str | None = _first_opinion(config, action, model, **hints)
    if alias is None and isinstance(hints.get("instance"), model):
        return _of_instance(hints)
    return alias or DEFAULT_DB_ALIAS


def _of_instance(hints: dict[str, Any]) -> str:
    instance = hints.get("instance")
    return DEFAULT_DB_ALIAS if instance is None else instance._state.db or DEFAULT_DB_ALIAS


def _first_opinion(config: Config, action: str, *args: Any, **kwargs: Any) -> Any:
    """Return the first answer of a delegate that is not None; a delegate may lack the method."""
    for router in config.delegates.routers if config.delegates is not None else ():
        method = getattr(router, action, None)
        opinion = method(*args, **kwargs) if method is not None else None
        if opinion is not None:
            return opinion
    return None
