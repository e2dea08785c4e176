"""Runs a task in this process, as a worker would whose message carries nothing pinned, and records its queries."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.core.management.base import CommandError
from django.utils.module_loading import import_string

from pindb import propagation
from pindb.adapters import loaded
from pindb.exceptions import did_you_mean, first_line
from pindb.lines import telling_lines
from pindb.management.explained import Explained
from pindb.monitoring.queries import QueryRecorder

DRAMATIQS_OWN: Final = "dramatiq.asyncio"
"""The module of the function that Dramatiq puts around an async actor: it needs the event loop of a worker."""


def run(name: str, args_text: str, kwargs_text: str, *, may_write: bool) -> Explained:
    """Run the task `name` with arguments from JSON. What the task raises is part of the answer.

    Raises `CommandError` if it is not allowed to write, and for what is mistyped.
    """
    if not may_write:
        raise CommandError(
            "A task may write to the real databases, and enqueue other tasks, which workers run. "
            "Type --write to run it all the same."
        )
    args = _parsed("--args", args_text, list, "[7]")
    kwargs = _parsed("--kwargs", kwargs_text, dict, '{"order_id": 7}')
    body, error = _body(name), None
    with QueryRecorder() as recorder, propagation.open_message(propagation.NOTHING_PINNED) as work:
        work.name = name
        try:
            result = body(*args, **kwargs)
            if inspect.iscoroutine(result):
                async_to_sync(telling_lines)(result)
        except Exception as raised:  # the queries before it are of interest all the same
            error = raised
    call = ", ".join([*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())])
    text = None if error is None else first_line(error)
    facts = {"task": name, "error": text}
    return Explained(f"{name}({call}): {text or 'done'}", facts, recorder.queries, error)


def _parsed(option: str, text: str, kind: type, example: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CommandError(f"{option} {text!r} is no JSON ({error}). Type {option} '{example}'.") from None
    if type(value) is not kind:
        name = "list" if kind is list else "object"
        raise CommandError(f"{option} {text!r} is no {name} in JSON. Type {option} '{example}'.")
    return value


def _body(name: str) -> Callable[..., Any]:
    """Return what runs the body of a task in this process, and publishes no message for it."""
    task = _found(name)
    function = getattr(task, "fn", None)
    if getattr(function, "__globals__", {}).get("__name__") == DRAMATIQS_OWN:
        return function.__wrapped__  # type: ignore[no-any-return, union-attr]
    if (body := getattr(task, "call_local", None)) is not None:  # Huey's: a call would enqueue it
        return body  # type: ignore[no-any-return]
    if not callable(task) and (body := getattr(task, "call", None)) is not None:  # django.tasks'
        return body  # type: ignore[no-any-return]
    if isinstance(task, type) or not callable(task):
        raise CommandError(f"{name} is no task and no function, but {task!r}. Type the name of a task.")
    return task  # type: ignore[no-any-return]


def _found(name: str) -> Any:
    """Return the task that workers know by `name`, else what is there when `name` is imported."""
    try:
        imported = import_string(name)
    except ImportError as error:
        loaded.load_tasks()
        known = loaded.tasks()
        if name not in known:
            raise CommandError(
                f"There is no task {name!r} ({error}). {did_you_mean(name, known)} "
                "Any function will do, by its dotted path."
            ) from None
        imported = known[name]
    return loaded.tasks().get(name, imported)
