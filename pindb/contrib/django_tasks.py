"""Carries pins through Django's tasks, whatever the backend: a mixin, and Django's immediate backend with it.

    TASKS = {"default": {"BACKEND": "pindb.contrib.django_tasks.ImmediateBackend"}}

    class QueueBackend(PinDbBackend, vendor.QueueBackend): ...  # any other: the mixin first

Tasks have no headers. With an unknown backend the pins travel among the keyword arguments, and are taken out of the
task's arguments and of its results. The processes that work need this backend too: without it the function gets an
argument that it does not know. Backends with a better place override `carry()` and `pins_of()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

try:
    from django.tasks.backends.immediate import ImmediateBackend as DjangoImmediateBackend
    from django.tasks.signals import task_finished, task_started
except ImportError:  # Django 5.2: the backport
    from django_tasks.backends.immediate import ImmediateBackend as DjangoImmediateBackend  # type: ignore[assignment]
    from django_tasks.signals import task_finished, task_started

from django.utils.module_loading import import_string

from pindb.adapters import KEY, NO_HEADER, open_eager, open_message, open_safely, outgoing, pins_in

_started: Final[ContextVar[tuple[Any, object, str] | None]] = ContextVar("pindb_tasks_started", default=None)
"""The function of the task that is about to be called here, the pins that it comes with, and the id of its result.

`Task.call()` alone may be anybody's call, which is no run of a message.
"""

_enqueuing: Final[ContextVar[bool]] = ContextVar("pindb_tasks_enqueuing", default=False)
"""Whether the running code is inside `enqueue()`: a task that is called there runs eagerly."""


class PinDbTask:
    """Mixin of a backend's `task_class`: each run of a task is a unit of work."""

    __slots__ = ()
    func: Any
    module_path: str

    def call(self, *args: Any, **kwargs: Any) -> Any:
        with _unit_of_work(self, args, kwargs):
            return super().call(*args, **kwargs)  # type: ignore[misc]

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        with _unit_of_work(self, args, kwargs):
            return await super().acall(*args, **kwargs)  # type: ignore[misc]

    def __reduce__(self) -> Any:
        changes = {name: getattr(self, name) for name in ("priority", "queue_name", "run_after", "backend")}
        return _task, (self.module_path, changes)


def _task(path: str, changes: dict[str, Any]) -> Any:
    """Return the task that was pickled: its class has no name of its own to be found by."""
    return import_string(path).using(**changes)


@contextmanager
def _unit_of_work(task: PinDbTask, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[None]:
    """Run the block in the unit of work of a run of `task`, and take the pins out of its arguments."""
    started = _started.get()
    if started is not None and started[0] is task.func:
        _, pins, result_id = started
        _started.set(None)
    elif KEY in kwargs:  # `task_started` was sent in another thread, or not at all
        pins, result_id = pins_in(kwargs), ""
    else:  # a function call, which belongs to the unit of work of its caller
        yield
        return
    kwargs.pop(KEY, None)
    if args and (result := getattr(args[0], "task_result", None)) is not None:  # a `TaskContext`
        without_pins(result)
    eager = _enqueuing.get()
    work = open_safely(
        open_eager if eager else open_message,
        None if eager else pins,
        task.module_path,
        result_id,
        interruptible=True,
    )
    try:
        yield
    finally:
        work.close()


def on_started(task_result: Any, **_: Any) -> None:
    """Note which task is about to run, with which pins: receiver of `task_started`."""
    task = task_result.task
    if isinstance(task, PinDbTask):
        backend: Any = task.get_backend()  # type: ignore[attr-defined]
        pins = backend.pins_of(task_result) if isinstance(backend, PinDbBackend) else NO_HEADER
        _started.set((task.func, pins, str(task_result.id)))


def on_finished(task_result: Any, **_: Any) -> None:
    """Take the pins out of what other receivers of `task_finished` get: a receiver of it."""
    without_pins(task_result)


task_started.connect(on_started, weak=False, dispatch_uid="pindb.on_started")
task_finished.connect(on_finished, weak=False, dispatch_uid="pindb.on_finished")


class PinDbBackend:
    """Mixin of a task backend. It comes first among the bases."""

    task_class: Any

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        base = getattr(cls, "task_class", None)  # another mixin has none
        if base is not None and not issubclass(base, PinDbTask):
            cls.task_class = type(base.__name__, (PinDbTask, base), {"__slots__": (), "__module__": base.__module__})

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        with _inside_enqueue():
            return without_pins(super().enqueue(task, args, self.carry(kwargs)))  # type: ignore[misc]

    async def aenqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        with _inside_enqueue():
            return without_pins(await super().aenqueue(task, args, self.carry(kwargs)))  # type: ignore[misc]

    def get_result(self, result_id: Any) -> Any:
        return without_pins(super().get_result(result_id))  # type: ignore[misc]

    async def aget_result(self, result_id: Any) -> Any:
        return without_pins(await super().aget_result(result_id))  # type: ignore[misc]

    def carry(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the keyword arguments to enqueue instead of `kwargs`: they carry the pins of the caller."""
        pins = outgoing(kwargs.get(KEY))
        return kwargs if pins is None else {**kwargs, KEY: pins}

    def pins_of(self, task_result: Any) -> object:
        """Return the pins that a task to be run came with, for `open_message()`."""
        return pins_in(task_result.kwargs)


@contextmanager
def _inside_enqueue() -> Iterator[None]:
    token = _enqueuing.set(True)
    try:
        yield
    finally:
        _enqueuing.reset(token)


def without_pins(task_result: Any) -> Any:
    """Take the pins out of the arguments that a result shows; return the result."""
    task_result.kwargs.pop(KEY, None)  # a dict of its own, by the result's constructor
    return task_result


class ImmediateBackend(PinDbBackend, DjangoImmediateBackend):
    """Django's `ImmediateBackend`: a task starts with its caller's pins, and hands its new ones back."""

    def carry(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Carry nothing: the task runs in its caller's process."""
        return kwargs
