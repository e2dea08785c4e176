"""Carries the pins of a chord's header tasks to its body, and pins every DB set for its errbacks.

Most backends join a chord from the results of its header tasks, and `results.py` takes the pins that lie there. Redis'
backend joins it from parts of its own. Celery before 5.7 counts the different texts of these parts: a header task that
the broker delivers twice counts once, because its part has the same text again. So no pins may go into a part: they
change from second to second. They lie in a Redis set of their own, one for each chord.

A worker without pindb adds nothing to this set, and then the body reads masters.

Celery looks at no header task behind the first one that failed, whatever the backend. So nobody knows what a failed
chord wrote.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any, Final

from celery.backends.base import Backend

from pindb import adapters
from pindb.adapters import Patch
from pindb_celery.installed import installed

logger: Final = logging.getLogger("pindb")

SUFFIX: Final = ".pindb"
"""Ends the name of a chord's set, as `.j` ends the name of its parts."""

SECONDS_KEPT: Final = 86400
"""How long a set is kept where results never expire: a chord that loses a task would leave its set for ever."""

PART: Final = 1
"""The first item that Celery writes into a part. Earlier versions of pindb wrote pins there, and may still run."""


class _Chord:
    """The pins of the chord whose part a task returns. The last task reads them, for the body that it publishes."""

    def __init__(self, backend: Any, group: str) -> None:
        self._backend: Final = backend
        self._key: Final = backend.get_key_for_group(group, SUFFIX)
        self._pins: Mapping[str, list[Any]] | None = None

    def add(self, task_id: str, pins: Any) -> None:
        """Add the pins of a task. If it runs twice, and its runs differ, both remain."""
        seconds = getattr(self._backend, "chord_expires", self._backend.expires) or SECONDS_KEPT
        with self._failing_safely(), self._backend.client.pipeline() as pipe:
            pipe.sadd(self._key, json.dumps([task_id, pins])).expire(self._key, int(seconds)).execute()

    def take(self, task_id: str) -> None:
        """Take the pins of all runs of a task. If there are none, every DB set is pinned."""
        if self._pins is None:
            self._pins = self._read()
        for pins in self._pins.get(task_id, (None,)):
            adapters.take(pins)

    def _read(self) -> Mapping[str, list[Any]]:
        with self._failing_safely(), self._backend.client.pipeline() as pipe:
            entries, _ = pipe.smembers(self._key).delete(self._key).execute()
            found: dict[str, list[Any]] = {}
            for task_id, pins in map(json.loads, entries):
                found.setdefault(task_id, []).append(pins)
            return found
        return {}

    @contextmanager
    def _failing_safely(self) -> Iterator[None]:
        try:
            yield
        except (*self._backend.connection_errors, *self._backend.channel_errors, TypeError, ValueError):
            logger.exception("pindb could not carry the pins of a chord: its body reads masters.")


_chord: Final[ContextVar[_Chord | None]] = ContextVar("pindb_celery.chord", default=None)


def _on_chord_part_return(original: Callable[..., Any]) -> Callable[..., Any]:
    """`RedisBackend.on_chord_part_return`: stores and counts the part of this task; the last one publishes the body.

    The pins are added before Celery counts the part: who sees all parts sees all pins.
    """

    def on_chord_part_return(backend: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if backend.app not in installed or not request.id or not request.group:
            return original(backend, request, *args, **kwargs)
        chord = _Chord(backend, request.group)
        pins = adapters.outcome()
        if pins is not None:
            chord.add(request.id, pins)
        token = _chord.set(chord)
        try:
            return original(backend, request, *args, **kwargs)
        finally:
            _chord.reset(token)

    return on_chord_part_return


def _unpack_chord_result(original: Callable[..., Any]) -> Callable[..., Any]:
    """`RedisBackend._unpack_chord_result`: runs in the task that finished last, before it publishes the body."""

    def unpack_chord_result(backend: Any, part: Any, decode: Callable[[Any], Any], *args: Any, **kwargs: Any) -> Any:
        chord = _chord.get()
        if chord is not None and backend.app in installed:
            first, task_id = decode(part)[:2]
            if first == PART:
                chord.take(task_id)
            else:
                adapters.take(first)
        return original(backend, part, decode, *args, **kwargs)

    return unpack_chord_result


def _chord_error_from_stack(original: Callable[..., Any]) -> Callable[..., Any]:
    """`Backend.chord_error_from_stack`: publishes the errbacks of a chord, and stores its body's failure."""

    def chord_error_from_stack(backend: Any, *args: Any, **kwargs: Any) -> Any:
        if backend.app in installed:
            adapters.take(None)
        return original(backend, *args, **kwargs)

    return chord_error_from_stack


def patches_of_redis() -> tuple[Patch, ...]:
    """Return the patches of Redis' backend; none if it cannot be imported (since Celery 5.6): no app can use it."""
    try:
        backend = import_module("celery.backends.redis").RedisBackend
    except ImportError:
        return ()
    return (
        Patch(backend, "on_chord_part_return", _on_chord_part_return),
        Patch(backend, "_unpack_chord_result", _unpack_chord_result),
    )


PATCHES: Final = (Patch(Backend, "chord_error_from_stack", _chord_error_from_stack), *patches_of_redis())
