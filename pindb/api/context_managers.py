"""The context managers of `import pindb`, which are decorators too: one class for both, sync and async.

The objects hold no state of a run: the frames of the context hold it. So an object can be used again, inside itself,
and in several threads and asyncio tasks at once.
"""

from __future__ import annotations

import functools
import inspect
import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable
from copy import copy
from typing import Any, ParamSpec, Self, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.apps import apps
from django.conf import settings as django_settings

from pindb import events
from pindb.api.dropped import dropping_line
from pindb.api.functions import pin
from pindb.config.database_sets import DbSet, current_config
from pindb.core.frames import ReadFrom, pop, push_override, push_unit
from pindb.core.unit_of_work import UnitOfWork
from pindb.exceptions import PinDbConfigError

P = ParamSpec("P")
R = TypeVar("R")


class BlockOrDecorator(ABC):
    """A context manager that also decorates functions and coroutine functions."""

    unused = True
    """Until it is entered, or decorates. One that is made on a line of its own, and dropped there, does nothing."""

    def __del__(self) -> None:
        if self.unused and (line := dropping_line(_makes_one)) is not None:
            frame, number = line
            warnings.warn_explicit(
                f"{self!r} on a line of its own does nothing. Write `with {self!r}:` before the code that it is for, "
                f"or `@{self!r}` above a function{self._or_else()}.",
                RuntimeWarning,
                frame.f_code.co_filename,
                number,
                registry=frame.f_globals.setdefault("__warningregistry__", {}),  # with it a line is told of once
            )

    def _or_else(self) -> str:
        return ""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(self, *exc_info: object) -> None: ...

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return `function`, which then runs inside `with self`.

        Raises `PinDbConfigError` for anything but a function, and for a generator function: its body runs later.
        """
        self.unused = False
        if isinstance(function, staticmethod | classmethod):
            return cast("Callable[P, R]", type(function)(self(function.__func__)))
        if isinstance(function, type) or not callable(function):
            raise PinDbConfigError(
                f"{self!r} cannot decorate {function!r}.", "Decorate a function, or a class's method."
            )
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise self._runs_later(function)
        if iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__):

            @functools.wraps(function)
            async def awaiting(*args: P.args, **kwargs: P.kwargs) -> Any:
                with copy(self):
                    return await function(*args, **kwargs)  # type: ignore[misc]

            return cast("Callable[P, R]", awaiting)

        @functools.wraps(function)
        def calling(*args: P.args, **kwargs: P.kwargs) -> R:
            # Each run enters a copy and leaves its own: runs overlap in one context if a generator holds one open.
            with copy(self):
                result = function(*args, **kwargs)
            if inspect.iscoroutine(result):  # another decorator has wrapped a coroutine function in a plain one
                return cast("R", self._awaited(result))
            if inspect.isgenerator(result) or inspect.isasyncgen(result):
                raise self._runs_later(function)
            return result

        return calling

    async def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        with copy(self):
            return await coroutine

    def _runs_later(self, function: Callable[..., Any]) -> PinDbConfigError:
        name = getattr(function, "__qualname__", repr(function))
        return PinDbConfigError(
            f"{self!r} cannot decorate {name}, which returns a generator: its body runs after the call has returned.",
            "Write `with` inside it, or decorate the function that consumes it.",
        )


class pinning_context(BlockOrDecorator):  # noqa: N801 - read as a function
    """Runs a block or a function as a unit of work of its own: it starts with nothing pinned and leaves no pins behind.

    For scripts, consumers of other queues, and management commands:

        for event in consumer:
            with pindb.pinning_context():
                handle(event)
    """

    def __enter__(self) -> Self:
        self.unused = False
        push_unit(UnitOfWork(), self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        unit = pop(self)
        if unit is not None and events.observers:
            events.tell(events.Observer.unit_ended, unit, "other", "")

    def __repr__(self) -> str:
        return "pinning_context()"


class _Aliases(BlockOrDecorator):
    """A `BlockOrDecorator` for some aliases. It checks their names at once if the settings can be read."""

    def __init__(self, *aliases: str) -> None:
        self.aliases = aliases
        if not aliases or not all(isinstance(alias, str) for alias in aliases):
            raise PinDbConfigError(f"{self!r} needs aliases of databases.", f'Write {type(self).__name__}("default").')
        # Before the models are loaded, nobody knows which tables have separate pins.
        known = apps.models_ready or not any("." in alias for alias in aliases)
        # A settings module may import this decorator, and a project may run without pindb: neither has DB sets yet.
        if known and django_settings.configured and hasattr(django_settings, "MASTER_DATABASES"):
            self._db_sets()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.aliases))})"

    def _db_sets(self) -> list[DbSet]:
        """Return the DB sets. Raises `PinDbConfigError` for an alias that does not exist."""
        config = current_config()
        db_sets = [config.find(alias) for alias in self.aliases]
        return [db_set for db_set in db_sets if db_set is not None]


class pinned(_Aliases):  # noqa: N801 - read as a function
    """Pins DB sets, then runs the block or function.

        with pindb.pinned("default"):
            order = Order.objects.get(pk=pk)  # reads the master

    As with `pin()`, the pins last to the end of the unit of work, not of the block. Raises `PinDbConfigError` for an
    alias that does not exist.
    """

    def _or_else(self) -> str:
        return f"; to pin from here on, write {'; '.join(f'pindb.pin({json.dumps(alias)})' for alias in self.aliases)}"

    def __enter__(self) -> Self:
        self.unused = False
        for alias in self.aliases:
            pin(alias)
        push_override({}, self)  # an implicit unit of work does not end inside a block
        return self

    def __exit__(self, *exc_info: object) -> None:
        pop(self)


class _Override(_Aliases):
    read_from: ReadFrom

    def __enter__(self) -> Self:
        self.unused = False
        push_override(
            dict.fromkeys((name for db_set in self._db_sets() for name in db_set.pin_names), self.read_from),
            self,
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        pop(self)


class master(_Override):  # noqa: N801 - read as a function
    """Sends reads and writes of the block or function to the master, and pins nothing.

        with pindb.master("default"):
            stock = Stock.objects.get(pk=pk)

    Raises `PinDbConfigError` for an alias that does not exist.
    """

    read_from = ReadFrom.MASTER


class unpinned_replica(_Override):  # noqa: N801 - read as a function
    """Sends reads of the block or function to the replica, despite pins. A write goes to the master and pins.

        with pindb.unpinned_replica("default"):
            report = slow_statistics()

    Raises `PinDbConfigError` for an alias that does not exist.
    """

    read_from = ReadFrom.REPLICA


def with_masters(aliases: str | Iterable[str]) -> master:
    """Return `master(...)` for one alias or many: the name of pindb 0.1.12.

    Raises `PinDbConfigError` for an alias that does not exist.
    """
    return master(*_listed(aliases))


def with_replicas(aliases: str | Iterable[str]) -> unpinned_replica:
    """Return `unpinned_replica(...)` for one alias or many: the name of pindb 0.1.12.

    Raises `PinDbConfigError` for an alias that does not exist.
    """
    return unpinned_replica(*_listed(aliases))


def _listed(aliases: str | Iterable[str]) -> tuple[str, ...]:
    return (aliases,) if isinstance(aliases, str) or not isinstance(aliases, Iterable) else tuple(aliases)


def _makes_one(called: object) -> bool:
    """Return whether a call of `called` makes a `BlockOrDecorator`."""
    if isinstance(called, type):
        return issubclass(called, BlockOrDecorator)
    return called is with_masters or called is with_replicas
