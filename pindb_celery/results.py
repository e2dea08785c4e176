"""Pins travel with results: who takes a task's result, or is the body of its chord, reads what it wrote.

A result's pins lie beside it in what the backend stores (`meta`), where readers without pindb do not look. In a chord
that the backend itself joins, a task's part is a list whose first item nobody reads: the pins lie there.

A backend that keeps a fixed set of fields (SQLAlchemy's) loses them, and so does a worker without pindb: then the taker
is pinned on every DB set. No hook of ours may fail here: `pindb.propagation` does not raise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

from celery.backends.base import Backend
from celery.backends.redis import RedisBackend
from celery.backends.rpc import RPCBackend
from celery.result import AsyncResult, ResultSet
from celery.states import READY_STATES

from pindb import propagation
from pindb_celery._compat import Method, Patch
from pindb_celery.apps import installed

PART: Final = 1
"""What Celery has as the first item of a chord's part."""

_part_of: ContextVar[str | None] = ContextVar("pindb_celery.part_of", default=None)


class LiveMeta(dict[str, Any]):
    """`request.meta` for django-celery-results, which stores what it holds: its pins are those of that moment."""

    def keys(self) -> Any:
        return {**dict.fromkeys(super().keys()), propagation.KEY: None}.keys()

    def __iter__(self) -> Iterator[str]:  # else `{**meta}` copies what the dict has, and asks nobody
        return iter(self.keys())

    def __getitem__(self, key: str) -> Any:
        return propagation.outcome() if key == propagation.KEY else super().__getitem__(key)


def _with_pins(original: Method) -> Method:
    """`_get_result_meta`, and `_to_result` of rpc: what is stored of a result."""

    def meta_of(backend: Any, *args: Any, **kwargs: Any) -> Any:
        meta = original(backend, *args, **kwargs)
        if backend.app in installed and meta.get("status") in READY_STATES and propagation.KEY not in meta:
            pins = propagation.outcome()
            if pins is not None:
                meta[propagation.KEY] = pins
        return meta

    return meta_of


def _take(meta: Any) -> None:
    if isinstance(meta, Mapping) and meta.get("status") in READY_STATES:
        propagation.take(meta.get(propagation.KEY))


def _task_meta(original: Method) -> Method:
    """`_get_task_meta`: all properties of a result, and `ready()`, look there."""

    def get_task_meta(result: Any) -> Any:
        meta = original(result)
        if result.app in installed:
            _take(meta)
        return meta

    return get_task_meta


def _maybe_throw(original: Method) -> Method:
    """`maybe_throw`: all ways through `get()` end there, in its caller's own context, greenlets included."""

    def maybe_throw(result: Any, *args: Any, **kwargs: Any) -> Any:
        if result.app in installed:
            _take(result._cache)
        return original(result, *args, **kwargs)

    return maybe_throw


def _iter_native(original: Method) -> Method:
    """`iter_native`: what `join_native()` goes through instead."""

    def iter_native(results: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        for task_id, meta in original(results, *args, **kwargs):
            if results.app in installed:
                _take(meta)
            yield task_id, meta

    return iter_native


def _part_return(original: Method) -> Method:
    """`on_chord_part_return`: stores this task's part, and if it is the last one publishes the body."""

    def on_chord_part_return(backend: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        token = _part_of.set(request.id if backend.app in installed else None)
        try:
            return original(backend, request, *args, **kwargs)
        finally:
            _part_of.reset(token)

    return on_chord_part_return


def _encode(original: Method) -> Method:
    """`encode`: only the part that `on_chord_part_return` stores is of interest."""

    def encode(backend: Any, data: Any) -> Any:
        task_id = _part_of.get()
        if task_id is not None and type(data) is list and data[:2] == [PART, task_id]:
            data = [propagation.outcome() or PART, *data[1:]]
        return original(backend, data)

    return encode


def _unpack(original: Method) -> Method:
    """`_unpack_chord_result`: runs in the task that finished last, which is about to publish the body."""

    def unpack_chord_result(backend: Any, part: Any, decode: Callable[[Any], Any], *args: Any, **kwargs: Any) -> Any:
        if backend.app in installed:
            pins = decode(part)[0]
            propagation.take(None if pins == PART else pins)
        return original(backend, part, decode, *args, **kwargs)

    return unpack_chord_result


PATCHES: Final = (
    Patch(Backend, "_get_result_meta", _with_pins),
    Patch(RPCBackend, "_to_result", _with_pins),
    Patch(AsyncResult, "_get_task_meta", _task_meta),
    Patch(AsyncResult, "maybe_throw", _maybe_throw),
    Patch(ResultSet, "iter_native", _iter_native),
    Patch(RedisBackend, "on_chord_part_return", _part_return),
    Patch(RedisBackend, "encode", _encode),
    Patch(RedisBackend, "_unpack_chord_result", _unpack),
)
