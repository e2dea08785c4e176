"""`--send`: one probe task for each queue, through the real broker to a real worker, which answers what is pinned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, NamedTuple

from pindb.adapters import PROBE, loaded
from pindb.api.context_managers import pinning_context
from pindb.api.functions import pin
from pindb.config.database_sets import Config
from pindb.exceptions import first_line
from pindb.management.doctor.clocks import compared
from pindb.management.doctor.findings import Findings, ok, unwise, wrong
from pindb.management.doctor.servers import within
from pindb.servers.probe import ClockReading
from pindb.servers.timed_call import ask_all

NO_WORKER: Final = (
    "Start a worker that consumes this queue, of a version of the project with this pindb, and ask again. A busy one "
    "may need a longer --timeout."
)


NO_SERVER: Final = (
    "If the broker answers (see the section queues), the result backend does not. Start it, or correct its URL."
)


class Answer(NamedTuple):
    """What a worker has answered, or the error in its place, and when the message was sent and the answer came."""

    said: dict[str, Any] | Exception
    sent: float
    came: float


Answers = dict[str, Answer]
"""By queue."""


def probes(config: Config, names: Sequence[str], seconds: float) -> Findings:
    """Send a probe task to the queues `names`, or to all that this process knows; wait `seconds` for the answers."""
    with_pindb, broker = loaded.celery_apps_with_pindb(), loaded.dramatiq_broker()
    apps = [app for app in loaded.celery_apps() if app in with_pindb]
    if not config.settings.enabled:
        yield unwise("Nothing was sent: PINDB_ENABLED is False, so that no pin travels.", "Take it out.")
        return
    for app in apps:
        yield from _celery(app, config, names, seconds)
    if broker is not None:
        yield from _dramatiq(broker, config, names, seconds)
    if not apps and broker is None:
        nothing = "this process has no Celery app with pindb, and no Dramatiq broker."
        if names:  # somebody counts on them
            yield wrong(f"Nothing was sent to {', '.join(map(repr, names))}: {nothing}",
                        "Type --import and the module that makes it, e.g. --import shop.celery.")  # fmt: skip
        else:
            yield ok(f"Nothing was sent: {nothing}")


def _celery(app: Any, config: Config, names: Sequence[str], seconds: float) -> Findings:
    what = f"the Celery app {app.main!r}"
    if app.conf.task_always_eager:
        yield unwise(f"Nothing was sent for {what}: task_always_eager has tasks run where they are published.",
                     "Take it out to have workers run them.")  # fmt: skip
    elif type(app.backend).__name__ == "DisabledBackend":
        yield from _workers_of(app, what, seconds)
    else:
        queues = names or list(app.amqp.queues)
        yield from _asked(what, partial(_ask_celery, app, queues, config.sets, seconds), config, seconds)


def _ask_celery(app: Any, queues: Iterable[str], sets: Iterable[str], seconds: float) -> Answers:
    sent = {}
    with _pinned(sets):
        for queue in queues:
            sent[queue] = time.time(), app.tasks[PROBE].apply_async(queue=queue, expires=seconds, retry=False)
        return {queue: _taken(result, at, seconds) for queue, (at, result) in sent.items()}


def _taken(result: Any, at: float, seconds: float) -> Answer:
    said: Any
    try:
        said = result.get(timeout=max(0.1, at + seconds - time.time()))
    except Exception as error:
        said = error
    came = time.time()
    with suppress(Exception):  # Celery's base class cannot; it would hide the answer
        result.forget()
    return Answer(said, at, came)


def _workers_of(app: Any, what: str, seconds: float) -> Findings:
    """Ask the workers of an app without a result backend which of them know the probe task."""
    answer = ask_all({what: lambda: (app.control.inspect(timeout=seconds / 2).registered(),)}, seconds)[what]
    registered = answer if isinstance(answer, str) else answer[0] or {}
    if not registered or isinstance(registered, str):
        yield wrong(f"No worker of {what} answered{f': {registered}' if registered else ''}.", NO_WORKER)
        return
    for worker, tasks in sorted(registered.items()):
        if PROBE in tasks:
            yield ok(f"pindb is installed in the worker {worker}. No task was sent: {what} has no result backend, so "
                     "that its answer could not be seen.")  # fmt: skip
        else:
            yield wrong(f"pindb is not installed in the worker {worker}, or an older one: its tasks may read old data.",
                        "Write pindb_celery.install(app) in the module that this worker is started with.")  # fmt: skip


def _dramatiq(broker: Any, config: Config, names: Sequence[str], seconds: float) -> Findings:
    from dramatiq.common import q_name  # noqa: PLC0415 - the project has loaded it

    what = f"Dramatiq's {type(broker).__name__}"
    try:
        backend = broker.get_results_backend()
    except Exception:
        yield unwise(f"Nothing was sent for {what}: without the middleware Results the answer could not be seen.",
                     "Add dramatiq.results.Results(backend=...) to the broker here and in the workers.")  # fmt: skip
        return
    queues = names or sorted({*map(q_name, broker.get_declared_queues())})
    if not queues:
        yield unwise(f"Nothing was sent for {what}: this process has loaded no actor, and knows no queue.",
                     "Type --send default, with the names of your queues.")  # fmt: skip
        return
    yield from _asked(what, partial(_ask_dramatiq, broker, backend, queues, config.sets, seconds), config, seconds)


def _ask_dramatiq(broker: Any, backend: Any, queues: Iterable[str], sets: Iterable[str], seconds: float) -> Answers:
    import dramatiq  # noqa: PLC0415 - the project has loaded it

    answers, sent = {}, {}
    milliseconds = int(seconds * 1000)
    with _pinned(sets):
        for queue in queues:
            message: Any = dramatiq.Message(queue, PROBE, (), {}, {"max_age": milliseconds})
            sent[queue] = time.time(), broker.enqueue(message)
        for queue, (at, message) in sent.items():
            try:
                left = max(100, int((at + seconds - time.time()) * 1000))
                said = message.get_result(backend=backend, block=True, timeout=left)
            except Exception as error:
                said = error
            answers[queue] = Answer(said, at, time.time())
    return answers


@contextmanager
def _pinned(sets: Iterable[str]) -> Iterator[None]:
    """Pin all DB sets, in a unit of work that ends with the block: nothing is written."""
    with pinning_context():
        for name in sets:
            pin(name)
        yield


def _asked(what: str, ask: Callable[[], Answers], config: Config, seconds: float) -> Findings:
    answers = within(2 * seconds + 1, {what: ask})[what]
    if isinstance(answers, str):
        yield wrong(f"The probe tasks of {what} failed as they were sent or awaited: {answers}.", NO_SERVER)
        return
    for queue, answer in answers.items():
        yield from _judged(f"the queue {queue!r} of {what}", answer, config)


def _judged(where: str, answer: Answer, config: Config) -> Findings:
    """Say what the answer of a worker means."""
    said = answer.said
    if isinstance(said, Exception):
        if type(said).__name__ == "NotRegistered":
            yield wrong(
                f"A worker of {where} does not know the task {PROBE}: it runs without pindb, or with an older one.",
                "Install the adapter in the module that this worker is started with.",
            )
        elif type(said).__name__ in ("TimeoutError", "ResultTimeout"):
            yield wrong(f"No worker of {where} answered.", NO_WORKER)
        else:
            yield wrong(f"The probe task on {where} failed: {first_line(said)}.", NO_WORKER)
        return
    lost = sorted(config.sets.keys() - set(said["pinned"]))
    if not said["enabled"]:
        yield wrong(f"A worker of {where} has PINDB_ENABLED = False.", "Give all processes the same settings.")
    elif unknown := sorted(config.sets.keys() - set(said["sets"])):
        yield wrong(f"A worker of {where} does not know the DB sets {', '.join(unknown)}, and reads masters.",
                    "Give all processes the same MASTER_DATABASES and DATABASE_SETS.")  # fmt: skip
    elif lost:
        yield wrong(f"Pins of {', '.join(lost)} have not travelled to a worker of {where}.",
                    "Have all processes run one version of pindb, and compare their clocks.")  # fmt: skip
    else:
        yield ok(f"A pin has travelled to a worker of {where}, in {answer.came - answer.sent:.2f} s there and back.")
    reading = ClockReading.between(answer.sent, said["clock"], answer.came)
    yield compared(f"a worker of {where}", reading, config.settings)
