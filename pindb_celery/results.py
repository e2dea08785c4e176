"""Carries pins with results: the caller that reads a task's result, and the body of its chord, read what it wrote.

The pins of a result lie beside it in the record (`meta`) that the backend stores, where readers without pindb do not
look. In a chord that the backend itself joins, a task's part is a list, and nobody reads its first item: the pins lie
there.

A backend with a fixed set of fields (SQLAlchemy's) loses the pins, and a worker without pindb writes none. Then pindb
pins every DB set for the reader. No hook here may fail: `pindb.adapters` does not raise.

A backend whose library is not installed cannot be imported (Redis' one, since Celery 5.6) and needs no patch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from importlib import import_module
from typing import Any, Final

from celery.backends.base import Backend
from celery.result import AsyncResult, ResultSet
from celery.states import READY_STATES

from pindb import adapters
from pindb.adapters import Patch
from pindb_celery.installed import installed

PART: Final = 1
"""The first item that Celery writes into a chord's part."""

_part_of: ContextVar[str | None] = ContextVar("pindb_celery.part_of", default=None)


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


def _on_chord_part_return(original: Callable[..., Any]) -> Callable[..., Any]:
    """`RedisBackend.on_chord_part_return`: stores the part of this task; the last task also publishes the body."""

    def on_chord_part_return(backend: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        token = _part_of.set(request.id if backend.app in installed else None)
        try:
            return original(backend, request, *args, **kwargs)
        finally:
            _part_of.reset(token)

    return on_chord_part_return


def _encode(original: Callable[..., Any]) -> Callable[..., Any]:
    """`RedisBackend.encode`: only the part that `on_chord_part_return` stores gets pins."""

    def encode(backend: Any, data: Any) -> Any:
        task_id = _part_of.get()
        if task_id is not None and type(data) is list and data[:2] == [PART, task_id]:
            data = [adapters.outcome() or PART, *data[1:]]
        return original(backend, data)

    return encode


def _unpack_chord_result(original: Callable[..., Any]) -> Callable[..., Any]:
    """`RedisBackend._unpack_chord_result`: runs in the task that finished last, before it publishes the body."""

    def unpack_chord_result(backend: Any, part: Any, decode: Callable[[Any], Any], *args: Any, **kwargs: Any) -> Any:
        if backend.app in installed:
            pins = decode(part)[0]
            adapters.take(None if pins == PART else pins)
        return original(backend, part, decode, *args, **kwargs)

    return unpack_chord_result


def _patches_of(module: str, name: str, **decorators: Callable[[Any], Any]) -> tuple[Patch, ...]:
    """Return the patches of methods of a backend; none if it cannot be imported, because then no app can use it."""
    try:
        backend = getattr(import_module(module), name)
    except ImportError:
        return ()
    return tuple(Patch(backend, method, decorator) for method, decorator in decorators.items())


PATCHES: Final = (
    Patch(Backend, "_get_result_meta", _stored_meta),
    Patch(AsyncResult, "_get_task_meta", _get_task_meta),
    Patch(AsyncResult, "maybe_throw", _maybe_throw),
    Patch(ResultSet, "iter_native", _iter_native),
    *_patches_of("celery.backends.rpc", "RPCBackend", _to_result=_stored_meta),
    *_patches_of(
        "celery.backends.redis",
        "RedisBackend",
        on_chord_part_return=_on_chord_part_return,
        encode=_encode,
        _unpack_chord_result=_unpack_chord_result,
    ),
)
