"""Carries pins through Huey, its Django integration included.

    pindb.contrib.huey.install(huey)  # in every process: where `huey` is made, or in an AppConfig.ready()

Only a task's keyword arguments travel in Huey's messages, so the pins travel there: but only there, a task in memory
does not have them among its arguments. `install()` wraps the methods in which a message is made and read, because no
hook of Huey surrounds a task with what follows from it: retries, pipelines, error handlers and chords.

A worker must have pindb before its publishers do: without it the task gets an argument that it does not know.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any, Final

from huey import exceptions
from huey.api import Huey

from pindb import PinDbConfigError, PinDbException
from pindb.adapters import (
    KEY,
    NO_HEADER,
    Patch,
    PublishGuard,
    Work,
    interrupted_by,
    open_eager,
    open_message,
    open_safely,
    outcome,
    outgoing,
    pins_in,
    take,
    unwrap,
    wrap,
)

logger: Final = logging.getLogger("pindb.huey")

guard: Final = PublishGuard(
    "Task {!r} is enqueued",
    "Write transaction.on_commit(lambda: {}(...)), or @on_commit_task().",
    frozenset({"huey"}),
    PinDbException,
)

PINS: Final = "pindb_pins"
"""Attribute of a task that was read from a message: the pins in it."""

CHORD: Final = "pindb_chord"
"""Attribute of the callback of a chord: the chord, while a member of it is counted."""


def install(huey: Huey) -> None:
    """Carry pins into the tasks of `huey`; twice is once.

        from huey.contrib.djhuey import HUEY
        pindb.contrib.huey.install(HUEY)

    Raises `PinDbConfigError` for anything but a Huey.
    """
    wrap(_checked(huey, "install"), huey, *_patches(huey))
    if timeout := getattr(exceptions, "TaskTimeout", None):  # Huey 3
        interrupted_by(timeout)


def uninstall(huey: Huey) -> None:
    """Undo `install(huey)`. Raises `PinDbConfigError` for anything but a Huey."""
    unwrap(_checked(huey, "uninstall"), huey)


def _checked(huey: Any, name: str) -> Any:
    if not isinstance(huey, Huey):
        raise PinDbConfigError(f"pindb.contrib.huey.{name}() got {huey!r}.", f"Give it the Huey: {name}(huey).")
    return huey


def _patches(huey: Any) -> list[Patch]:
    patches = [
        Patch(huey, "enqueue", lambda original: _enqueue(huey, original)),
        Patch(huey, "serialize_task", lambda original: _serialize_task(huey, original)),
        Patch(huey, "deserialize_task", _deserialize_task),
        Patch(huey, "execute", lambda original: _execute(huey, original)),
    ]
    if hasattr(huey, "_check_chord"):  # Huey 3: no hook tells that a member of a chord is done
        patches.append(Patch(huey, "_check_chord", lambda original: _check_chord(huey, original)))
    return patches


def _enqueue(huey: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    """`Huey.enqueue`: the guard may refuse here. Huey swallows the exceptions of receivers of its signals."""

    def enqueue(task: Any, *args: Any, **options: Any) -> Any:
        if not huey.immediate and (name := getattr(task, "name", None)):  # a group has none, its members do
            guard.notice(name)
        return original(task, *args, **options)

    return enqueue


def _serialize_task(huey: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    """`Huey.serialize_task`: makes the message of a task that is enqueued or scheduled."""

    def serialize_task(task: Any) -> Any:
        chord = vars(task).pop(CHORD, None)
        if chord is not None:  # this unit of work is that of the last member
            for index in range(chord.size):
                _take_member(huey, _member_key(chord, index))
        pins = outgoing(vars(task).get(PINS))
        if pins is None:
            return original(task)
        sent = copy.copy(task)  # other threads may enqueue the same object
        # Huey 2 puts a task that runs into its own arguments, and takes it out as it makes the message.
        sent.kwargs = {name: value for name, value in (task.kwargs or {}).items() if value is not task}
        sent.kwargs[KEY] = pins
        return original(sent)

    return serialize_task


def _deserialize_task(original: Callable[..., Any]) -> Callable[..., Any]:
    """`Huey.deserialize_task`: reads a message. The pins are no argument of its task."""

    def deserialize_task(data: Any) -> Any:
        task = original(data)
        kwargs = task.kwargs or {}
        pins = pins_in(kwargs)
        if pins is not NO_HEADER:
            setattr(task, PINS, pins)
            del kwargs[KEY]
        return task

    return deserialize_task


def _execute(huey: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    """`Huey.execute`: runs a task, stores its result, and enqueues it again or what follows it."""

    def open_work(task: Any) -> Work:
        return open_eager() if huey.immediate else open_message(vars(task).get(PINS, NO_HEADER))

    def execute(task: Any, *args: Any, **options: Any) -> Any:
        with open_safely(open_work, task, task.name, task.id, interruptible=True):
            return original(task, *args, **options)

    return execute


def _check_chord(huey: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    """`Huey._check_chord`: counts a member of a chord that is done; the last one enqueues the callback."""

    def check_chord(chord: Any, value: Any) -> Any:
        if huey.immediate:  # each member hands its pins back to the caller
            return original(chord, value)
        try:
            huey.put_result(_member_key(chord, chord.idx), outcome())  # a result: it may expire
        except Exception:
            logger.exception("pindb could not store what a member of a chord has written: its callback reads masters.")
        setattr(chord.callback, CHORD, chord)
        return original(chord, value)

    return check_chord


def _take_member(huey: Any, key: str) -> None:
    """Take what a member of a chord has stored under `key`, and delete it: some storages keep what is read."""
    try:
        take(huey.get(key, peek=True))
        huey.delete(key)
    except Exception:
        logger.exception("pindb could not tell what a member of a chord has written: its callback reads masters.")
        take(None)


def _member_key(chord: Any, index: int) -> str:
    return f"chord:{chord.cid}:{index}:{KEY}"
