"""What pindb adds to a no-op Celery task: `python -m tests.benchmarks.celery_cost`.

Microseconds to publish a message (memory transport, so that no broker's time hides the difference) and to run a task as
a worker's process does, with and without `pindb_celery.install`, taking turns in one process. And the header's size.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
django.setup()

from celery import Celery  # noqa: E402
from celery.app.trace import build_tracer  # noqa: E402

import pindb  # noqa: E402
import pindb_celery  # noqa: E402
from pindb import propagation  # noqa: E402
from tests.benchmarks import senders  # noqa: E402
from tests.benchmarks.timing import microseconds  # noqa: E402
from tests.shop.celery import app as shop  # noqa: E402

CALLS = 100
PHASES = 10
TURNS = 15
TARGET = 20.0


def make_app() -> tuple[Celery, Any]:
    app = Celery("cost", broker="memory://", backend="cache+memory://")

    @app.task(name="noop", ignore_result=True)
    def noop() -> None: ...

    return app, app.tasks["noop"]


def main() -> None:
    pindb_celery.uninstall(shop)
    app, task = make_app()
    tracer = build_tracer(task.name, task, app=app)
    pindb.pin("default")
    pindb.pin("audit")
    header = propagation.outgoing()
    base = {"id": uuid.uuid4().hex, "task": task.name, "is_eager": False, "delivery_info": {}}
    texts = senders.texts()

    def publish(_: bool) -> Callable[[], object]:
        return task.apply_async  # type: ignore[no-any-return]

    def publish_anew(_: bool) -> Callable[[], object]:
        return senders.anew(task.apply_async)

    def run(installed: bool) -> Callable[[], object]:
        request = {**base, "headers": {propagation.KEY: header}} if installed else base
        return lambda: tracer(base["id"], (), {}, dict(request))

    def run_anew(installed: bool) -> Callable[[], object]:
        def run_another() -> None:
            headers = {propagation.KEY: next(texts)}
            tracer(base["id"], (), {}, {**base, "headers": headers} if installed else dict(base))

        return run_another

    print(f"{PHASES} phases of {TURNS} turns of {CALLS} calls, the least in microseconds\n")
    print(f"{'':40}{'without':>10}{'with':>10}{'pindb adds':>14}{'target':>10}")
    for case, bodies in {
        "two sets pinned": (publish, run),
        "two sets, no messages alike": (publish_anew, run_anew),
    }.items():
        total = 0.0
        for body in bodies:
            times: dict[bool, list[float]] = {False: [], True: []}
            for phase in range(2 * PHASES):
                installed = bool(phase % 2)
                (pindb_celery.install if installed else pindb_celery.uninstall)(app)
                function = body(installed)
                microseconds(function, CALLS)  # a patched class has the interpreter forget what it knew
                times[installed] += [microseconds(function, CALLS) for _ in range(TURNS)]
                app.control.purge()
            without, with_pindb = min(times[False]), min(times[True])
            total += with_pindb - without
            name = f"{body.__name__.partition('_')[0]}, {case}"
            print(f"{name:40}{without:>10.1f}{with_pindb:>10.1f}{with_pindb - without:>14.1f}")
        print(f"{'together':60}{total:>14.1f}{TARGET:>10.0f}")
    size = len(json.dumps({propagation.KEY: header}, separators=(",", ":")))
    print(f"\nThe header takes {size} bytes (target: at most 150).")


if __name__ == "__main__":
    main()
