"""Carries pins with results: the caller that reads a task's result, and the body of its chord, read what it wrote.

The pins of a result lie beside it in the record (`meta`) that the backend stores, where readers without pindb do not
look. For a chord that the backend itself joins see `chords.py`.

A backend with a fixed set of fields (SQLAlchemy's) loses the pins, and a worker without pindb writes none. Then pindb
pins every DB set for the reader. No hook here may fail: `pindb.adapters` does not raise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from celery.backends.base import Backend
from celery.backends.rpc import RPCBackend
from celery.result import AsyncResult, ResultSet
from celery.states import READY_STATES

from pindb import adapters
from pindb.adapters import Patch
from pindb_celery.installed import installed


class LiveMeta(dict[str, Any]):
    """`request.meta` for django-celery-results, which stores its items: the pins are read at the moment of storing."""

    def keys(self) -> Any:
        return {**dict.fromkeys(super().keys()), adapters.KEY: None}.keys()

    def __iter__(self) -> Iterator[str]:  # otherwise `{**meta}` copies the dict's own items only
        return iter(self.keys())

    def __getitem__(self, key: str) -> Any:
        return adapters.outcome() if key == adapters.KEY else super().__getitem__(key)


def _stored_meta(original: Callable[..., Any]) -> Callable[..., Any]:
    """`Backend._get_result_meta` and `RPCBackend._to_result`: make the record that the backend stores."""

    def meta_of(backend: Any, *args: Any, **kwargs: Any) -> Any:
        meta = original(backend, *args, **kwargs)
        if backend.app in installed and meta.get("status") in READY_STATES and adapters.KEY not in meta:
            pins = adapters.outcome()
            if pins is not None:
                meta[adapters.KEY] = pins
        return meta

    return meta_of


def _take(meta: Any) -> None:
    if isinstance(meta, Mapping) and meta.get("status") in READY_STATES:
        adapters.take(meta.get(adapters.KEY))


def _get_task_meta(original: Callable[..., Any]) -> Callable[..., Any]:
    """`AsyncResult._get_task_meta`: all properties of a result, and `ready()`, call it."""

    def get_task_meta(result: Any) -> Any:
        meta = original(result)
        if result.app in installed:
            _take(meta)
        return meta

    return get_task_meta


def _maybe_throw(original: Callable[..., Any]) -> Callable[..., Any]:
    """`AsyncResult.maybe_throw`: each way through `get()` ends there, in the caller's context, even in a greenlet."""

    def maybe_throw(result: Any, *args: Any, **kwargs: Any) -> Any:
        if result.app in installed:
            _take(result._cache)
        return original(result, *args, **kwargs)

    return maybe_throw


def _iter_native(original: Callable[..., Any]) -> Callable[..., Any]:
    """`ResultSet.iter_native`: `join_native()` calls it instead.

    Celery's own finalizes the barrier of the set when it is called, so this is no generator itself.
    """

    def iter_native(results: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        found = original(results, *args, **kwargs)
        return _taking(found) if results.app in installed else found

    return iter_native


def _taking(found: Iterable[Any]) -> Iterator[Any]:
    for task_id, meta in found:
        _take(meta)
        yield task_id, meta


PATCHES: Final = (
    Patch(Backend, "_get_result_meta", _stored_meta),
    Patch(AsyncResult, "_get_task_meta", _get_task_meta),
    Patch(AsyncResult, "maybe_throw", _maybe_throw),
    Patch(ResultSet, "iter_native", _iter_native),
    Patch(RPCBackend, "_to_result", _stored_meta),
)
