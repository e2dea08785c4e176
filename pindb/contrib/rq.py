"""Carries pins through RQ, in a job's `meta`: a class of queues and a class of jobs, for publishers and workers alike.

    Queue("default", connection=redis)             # from pindb.contrib.rq instead of rq
    rq worker --queue-class pindb.contrib.rq.Queue --job-class pindb.contrib.rq.Job

What a run has written is stored in a field of its own in the job's hash: for jobs that depend on it, and for who takes
its result. `save_meta()` would overwrite what the job's code has stored there meanwhile.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import os
from collections.abc import Callable
from typing import Any, Final

import rq.job
import rq.queue
from redis.exceptions import RedisError
from rq.exceptions import DeserializationError
from rq.timeouts import BaseTimeoutException

from pindb import PinDbException
from pindb.adapters import (
    KEY,
    NULL_HEADER,
    PublishGuard,
    Work,
    interrupted_by,
    open_eager,
    open_lost,
    open_message,
    open_safely,
    outcome,
    outgoing,
    pins_in,
    process_ends,
    take,
)

logger: Final = logging.getLogger("pindb.rq")

guard: Final = PublishGuard(
    "Job {!r} is enqueued",
    "Write transaction.on_commit(lambda: queue.enqueue({}, ...)).",
    frozenset({"rq", "django_rq", "django_tasks", "django_tasks_rq"}),
    PinDbException,
)

UNREADABLE_META: Final = "unserialized"
"""RQ puts this key into the `meta` of a job whose stored one it cannot read."""

EAGER: Final = "pindb_eager"
"""Attribute of a job: its queue runs it in its caller's process, and has opened its unit of work."""

WORKER: Final = "pindb_worker"
"""Attribute of a job: the id of the process that took it from its queue. By default a fork of it runs the job."""

RUN: Final = "pindb_run"
"""Attribute of a job: this process has run it to its end, so what it has written is known."""

warned: Final[set[str]] = set()
"""The classes of jobs that a warning was logged of."""

interrupted_by(BaseTimeoutException)


class QueueMixin:
    """Mixin of a queue class. It comes first among the bases."""

    is_async: bool

    def create_job(self, *args: Any, **options: Any) -> Any:
        return self.carry(super().create_job(*args, **options))  # type: ignore[misc]

    def enqueue_job(self, job: Any, *args: Any, **options: Any) -> Any:
        return super().enqueue_job(self.carry(job), *args, **options)  # type: ignore[misc]

    @classmethod
    def dequeue_any(cls, *args: Any, **options: Any) -> Any:
        found = super().dequeue_any(*args, **options)  # type: ignore[misc]
        if found is not None:
            setattr(found[0], WORKER, os.getpid())
            if not isinstance(found[0], JobMixin):
                _warn_of(type(found[0]))
        return found

    def run_sync(self, job: Any) -> Any:
        with open_safely(_open_eager, job, _name(job), job.id, interruptible=True):
            setattr(job, EAGER, True)
            return super().run_sync(job)  # type: ignore[misc]

    def carry(self, job: Any) -> Any:
        """Write the pins of the caller into `job`, joined with those that it has; return it."""
        if self.is_async:
            guard.notice(_name(job))
        _add_pins(job)
        return job


def _warn_of(job_class: type) -> None:
    """Log once in this process that its jobs are of a class that opens no unit of work."""
    name = f"{job_class.__module__}.{job_class.__qualname__}"
    if name not in warned:
        warned.add(name)
        logger.warning(
            "This worker runs jobs of %s, outside units of work of pindb: they may read old data. Start it with "
            "--job-class pindb.contrib.rq.Job, or write JOB_CLASS into the setting RQ.",
            name,
        )


def _name(job: Any) -> str:
    """Return the name of the function of a job, the job's id if it was fetched with another serializer than its own."""
    try:
        return str(job.func_name or job.id)
    except DeserializationError:
        return str(job.id)


def _open_eager(_: Any) -> Work:
    return open_eager()


def _add_pins(job: Any) -> None:
    pins = outgoing(job.meta.get(KEY))
    if pins is not None and UNREADABLE_META not in job.meta:
        job.meta = {**job.meta, KEY: pins}  # a copy: the caller may own it


class JobMixin:
    """Mixin of a job class. It comes first among the bases."""

    id: str
    func_name: str | None
    key: Any
    meta: dict[str, Any]
    connection: Any

    def perform(self) -> Any:
        """Run the job in a unit of work of its own."""
        if EAGER in vars(self):
            return super().perform()  # type: ignore[misc]
        work = open_safely(_open, self, _name(self), self.id, interruptible=True)
        try:
            return super().perform()  # type: ignore[misc]
        finally:
            try:
                _end(self)
            finally:
                work.close()
                if getattr(self, WORKER, os.getpid()) != os.getpid():  # RQ ends this process without `atexit`
                    process_ends()

    @property
    def success_callback(self) -> Any:
        """RQ's own, run in a unit of work that has seen what the job wrote; as the next two."""
        return _with_pins(self, super().success_callback)  # type: ignore[misc]

    @property
    def failure_callback(self) -> Any:
        """See `success_callback`."""
        return _with_pins(self, super().failure_callback)  # type: ignore[misc]

    @property
    def stopped_callback(self) -> Any:
        """See `success_callback`."""
        return _with_pins(self, super().stopped_callback)  # type: ignore[misc]

    def requeue(self, *args: Any, **options: Any) -> Any:
        """RQ's own, with the pins of the caller added: RQ enqueues it through a plain `rq.Queue`."""
        guard.notice(_name(self))
        _add_pins(self)
        return super().requeue(*args, **options)  # type: ignore[misc]

    def latest_result(self, *args: Any, **options: Any) -> Any:
        """Return RQ's result of the last run, and take its pins: the caller reads what the job wrote."""
        result = super().latest_result(*args, **options)  # type: ignore[misc]
        if result is not None:
            take(_outcome_of(self, self.id))
        return result


def _open(job: Any) -> Work:
    """Enter the unit of work of a job, with the pins of its message and what the jobs that it depends on wrote."""
    # Redis is asked before anything is entered: it may fail. If this run is killed, nobody must take what the run
    # before it has stored for what this one wrote. `fetch_dependencies()` leaves out the jobs that are gone.
    job.connection.hdel(job.key, KEY)
    made_before = [_outcome_of(job, job_id) for job_id in job._dependency_ids]
    work = open_message(NULL_HEADER if UNREADABLE_META in job.meta else pins_in(job.meta))
    for made in made_before:
        take(made)
    return work


def _outcome_of(job: Any, job_id: str) -> object:
    """Return the `outcome()` that a run of a job has stored, None if it has not: it was killed, or has no pindb."""
    try:
        stored = job.connection.hget(job.key_for(job_id), KEY)
        return None if stored is None else json.loads(stored)
    except (RedisError, ValueError):
        logger.exception("pindb could not tell what job %s has written: who asks for it reads masters.", job_id)
        return None


def _end(job: Any) -> None:
    """Note what the run of `job` has written: in its `meta` for a retry, which RQ saves then, and for others."""
    try:
        setattr(job, RUN, True)
        _add_pins(job)
        if (made := outcome()) is not None:
            job.connection.hset(job.key, KEY, json.dumps(made))
    except BaseTimeoutException:
        raise
    except Exception:
        logger.exception("pindb could not store what job %s has written: who waits for it reads masters.", job.id)


def _with_pins(job: Any, callback: Callable[..., Any] | None) -> Any:
    if callback is None or EAGER in vars(job) or inspect.iscoroutinefunction(callback):
        return callback

    @functools.wraps(callback)
    def in_unit_of_work(*args: Any) -> Any:
        # Nobody knows what a job has written that was killed, or that another process has run.
        with (open_message if RUN in vars(job) else open_lost)(pins_in(job.meta)):
            return callback(*args)

    return in_unit_of_work


class Queue(QueueMixin, rq.queue.Queue):
    """RQ's queue, whose jobs carry the pins of who enqueues them."""


class Job(JobMixin, rq.job.Job):
    """RQ's job, which runs in a unit of work with the pins that it carries."""


Queue.job_class = Job
