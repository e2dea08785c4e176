"""What pindb adds to a no-op Dramatiq message: `python -m tests.benchmarks.dramatiq_cost`.

Microseconds to send a message (StubBroker, so that no server's time hides the difference) and to process one as a
worker's thread does, with and without `pindb_dramatiq.install`, taking turns in one process. And the option's size.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from threading import Thread
from types import SimpleNamespace
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
django.setup()

import dramatiq  # noqa: E402
from dramatiq import Message, MessageProxy  # noqa: E402
from dramatiq.brokers.stub import StubBroker  # noqa: E402
from dramatiq.worker import _WorkerThread  # noqa: E402

import pindb  # noqa: E402
import pindb_dramatiq  # noqa: E402
from pindb import propagation  # noqa: E402
from tests.benchmarks import senders  # noqa: E402
from tests.benchmarks.timing import microseconds  # noqa: E402

CALLS = 100
TURNS = 201
TARGET = 10.0


def make(*, installed: bool) -> Any:
    """Return a no-op actor on a broker of its own."""
    broker = StubBroker()
    if installed:
        pindb_dramatiq.install(broker)
    return dramatiq.actor(lambda: None, actor_name="noop", broker=broker)


def worker_thread(actor: Any) -> Any:
    """Return a worker's thread that is not started: it acknowledges nothing, there is no queue."""
    consumers: Any = {actor.queue_name: SimpleNamespace(post_process_message=lambda _: None)}
    queue: Any = SimpleNamespace(task_done=lambda: None)
    return _WorkerThread(broker=actor.broker, consumers=consumers, work_queue=queue, worker_timeout=100)


def send(actor: Any) -> Callable[[], object]:
    """Return what sends a message; it is taken off the queue, so that its memory is not measured as well."""
    queue = actor.broker.queues[actor.queue_name]

    def send_and_take_off() -> None:
        actor.send()
        queue.get_nowait()

    return send_and_take_off


def process(actor: Any) -> Callable[[], object]:
    """Return what processes a message, of a sender that has pinned what is pinned here."""
    thread = worker_thread(actor)
    actor.send()
    message = Message.decode(actor.broker.queues[actor.queue_name].get_nowait())
    return lambda: thread.process_message(MessageProxy(message))


def send_anew(actor: Any) -> Callable[[], object]:
    """Return what sends a message as a sender's first."""
    return senders.anew(send(actor))


def process_anew(actor: Any) -> Callable[[], object]:
    """Return what processes messages no two of which are alike."""
    thread, texts = worker_thread(actor), senders.texts()
    actor.send()
    message = Message.decode(actor.broker.queues[actor.queue_name].get_nowait())

    def process_another() -> None:
        message.options[propagation.KEY] = next(texts)
        thread.process_message(MessageProxy(message))

    return process_another


CASES = {
    "nothing pinned": (send, process),
    "two sets pinned": (send, process),
    "two sets, no messages alike": (send_anew, process_anew),
}


def main() -> None:
    """Measure and print."""
    logging.getLogger("dramatiq").setLevel(logging.WARNING)
    print(f"{TURNS} turns of {CALLS} calls, the least in microseconds\n")
    print(f"{'':40}{'without':>10}{'with':>10}{'pindb adds':>14}{'target':>10}")
    for case, bodies in CASES.items():
        if case != "nothing pinned":
            pindb.pin("default")
            pindb.pin("audit")
        total = 0.0
        for body in bodies:
            times: dict[bool, list[float]] = {False: [], True: []}
            actors = {installed: make(installed=installed) for installed in (False, True)}
            functions = {installed: body(actor) for installed, actor in actors.items()}
            for turn in range(TURNS):
                for installed in (False, True) if turn % 2 else (True, False):
                    times[installed].append(microseconds(functions[installed], CALLS))
            without, with_pindb = min(times[False]), min(times[True])
            total += with_pindb - without
            name = f"{body.__name__.partition('_')[0]}, {case}"
            print(f"{name:40}{without:>10.1f}{with_pindb:>10.1f}{with_pindb - without:>14.1f}")
        print(f"{'together':60}{total:>14.1f}{TARGET:>10.0f}")
    size = len(json.dumps({propagation.KEY: propagation.outgoing()}, separators=(",", ":")))
    print(f"\nThe option takes {size} bytes with two DB sets.")


class Measuring(_WorkerThread):  # type: ignore[misc]
    """A worker's thread, as far as pindb can see."""

    def __init__(self) -> None:
        Thread.__init__(self)

    def run(self) -> None:
        main()


if __name__ == "__main__":
    Measuring().start()
